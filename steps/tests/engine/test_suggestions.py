"""What an unknown sentence was perhaps meant to be."""

import pytest

from rollout_conformance.steps.engine.suggestions import near_sentences

SENTENCES = (
    "the policy answers <text>",
    "the policy calls <tool> with <arguments>",
    "the trainer returns <status>",
    "the trainer always returns <status>",
    "the trainer starts the rollout",
    "the trainer requests the status of the rollout",
    "the server is stopped",
    "the rollout ends",
    "all rollouts end",
)


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ('the trainer calls add with {"a": 5, "the server": "is stopped"}', "the policy calls <tool> with <arguments>"),
        ("the rollout is startet", "the trainer starts the rollout"),
        ("the rollout is started", "the trainer starts the rollout"),
        ("it has ended", "the rollout ends"),
        ('the policy answered "The trainer returns 500"', "the policy answers <text>"),
        ("the server is stoped", "the server is stopped"),
    ],
)
def test_the_nearest_sentence_is_about_the_same(written: str, nearest: str) -> None:
    assert near_sentences(written, SENTENCES)[0] == nearest


def test_what_no_sentence_is_about_is_near_to_none() -> None:
    assert near_sentences("it is a reply that was cut", SENTENCES) == []
    assert near_sentences("", SENTENCES) == []
    assert near_sentences("the rollout ends", ()) == []
