"""The message about a step that no sentence fits: how it is written right, or which sentences are about the same."""

import re
from collections.abc import Iterator

from pytest_bdd.types import STEP_TYPES

from rollout_conformance.steps.engine.suggestions import near_sentences
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.scenario.sentences import look_up, shown
from rollout_conformance.steps.scenario.synonyms import SAID

QUOTED = re.compile(
    r"""(?<!\w)(?:"([^"]*)"|'([^']*)'|[\u201c\u201e\u201d]([^\u201c\u201d]*)[\u201c\u201d]|[\u2018]([^\u2018\u2019]*)\u2019)(?!\w)"""
)


def told(kind: str, text: str, profile: Profile) -> str:
    for other in STEP_TYPES:
        if look_up(other, text, profile.name):
            return f"no phrase for: {kind} {text}. It begins with {other.capitalize()}, not with {kind.capitalize()}"
    for right in _rewritten(text):
        if look_up(kind, right, profile.name):
            return f"no phrase for: {kind} {text}. Write it as: {right}"
    near = near_sentences(text, shown(kind, profile), meant=SAID)
    lines = "".join(f"\n    near: {kind} {phrase}" for phrase in near)
    every = f"\n    `rollout-conformance vocabulary --profile {profile.name}` has all sentences"
    return f"no phrase for: {kind} {text}{lines or every}"


def _rewritten(text: str) -> Iterator[str]:
    """The same step in the ways that a sentence is written: one space between words, a small letter first, no full stop, other quotes."""
    plain = " ".join(text.split()).rstrip(".,;:!")
    for one in dict.fromkeys((plain, plain[:1].lower() + plain[1:])):
        yield from (one, QUOTED.sub(_straight, one), QUOTED.sub(_within, one))


def _straight(found: re.Match[str]) -> str:
    return f'"{_within(found)}"'


def _within(found: re.Match[str]) -> str:
    return next((one for one in found.groups() if one is not None), "")
