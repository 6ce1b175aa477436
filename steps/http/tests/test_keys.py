"""Which keys prove a leak, and that a wrong key is a wrong one."""

import pytest

from rollout_conformance.steps.http.keys import recognisable, wrong_keys


@pytest.mark.parametrize("word", ["k", "EMPTY", "model", "anything", "whatever", "", None])
def test_a_key_that_occurs_in_ordinary_text_proves_no_leak(word: str | None) -> None:
    assert recognisable([word]) == []


@pytest.mark.parametrize("key", ["key-of-a-client", "sk-0123456789", "a1b2c3d4", "qwzxvkjhgfdsapoi"])
def test_a_key_that_no_other_text_has_proves_one(key: str) -> None:
    assert recognisable([key]) == [key]


@pytest.mark.parametrize("key", ["12345678", "k", "key-of-a-client", "12-34"])
def test_no_wrong_key_is_the_right_one(key: str) -> None:
    assert key not in wrong_keys(key).values()
