"""What an author gets wrong in the members of a verb is told before anything is played."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.verbs import verb_of
from rollout_conformance.steps.http.requests import Send
from rollout_conformance.steps.profiles import PROFILES


@pytest.mark.parametrize(
    ("profile", "verb", "written", "told"),
    [
        ("rollout", "generation_requests", {"least": 3, "most": 1}, "least: 3 is more than most, 1"),
        ("rollout", "wait_for_generation_request", 0, "nth: 0 is less than 1"),
        ("chat", "chat", {"user": "a", "times": 0}, "times: 0 is less than 1"),
        ("router", "backend_share", {"backend": "a", "share": 1.5}, "share: 1.5 is more than 1"),
        ("chat", "send", "kv/a", "path: 'kv/a' does not begin with /"),
        ("chat", "send", {"path": "/a", "raw": "x", "json": {}}, "a request has one body"),
        ("router", "json", {"path": "v["}, "'v[' is no path"),
    ],
)
def test_a_value_that_no_case_can_mean_is_told(profile: str, verb: str, written: Any, told: str) -> None:
    vocabulary = PROFILES[profile].vocabulary
    known = {**vocabulary.actions, **vocabulary.expectations}
    with pytest.raises(ValueError, match=r".") as error:
        known[verb].read(written)
    assert told in str(error.value)


def test_a_body_of_null_is_sent() -> None:
    send = verb_of(Send)
    assert send.read({"path": "/a", "json": None}).json is not None
    assert send.read({"path": "/a"}).json is None
