"""A verb: its members from YAML and from sentences, the types of placeholders, and what is reported of a wrong value."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from rollout_conformance.steps.engine.phrase_types import TYPES, choice
from rollout_conformance.steps.engine.verb_parsing import Written
from rollout_conformance.steps.engine.verbs import Verb, Vocabulary, VocabularyError, phrase, verb, verb_of
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.scenario.example_sentences import plain_sentence, sentence
from rollout_conformance.steps.scenario.member_types import default_of, type_of


def _length(written: Any) -> int:
    if not isinstance(written, str):
        raise ValueError(f"{written!r} is not a text")
    return len(written)


@dataclass(frozen=True, slots=True)
class Base:
    name: str = ""
    "The name of it."


@verb("poll", short="path", example="{path: /ready, statuses: [503, 200]}")
@phrase("GET {path:path} eventually returns {statuses:statuses}")
@phrase("GET {path:path} is ready in {mode} mode within {times} time(s)", statuses=(200,))
@phrase("GET {path:path} returns this:", block="body", statuses=(200,))
@dataclass(frozen=True, slots=True, kw_only=True)
class Poll(Base):
    """Repeat a GET.

    Until it returns one of the statuses."""

    path: str
    "Path and query."
    statuses: tuple[int, ...] = (200,)
    mode: Literal["fast", "slow"] = "fast"
    "How often."
    times: int | None = None
    wait_s: float = 0.5
    body: Any = None
    size: Annotated[int, Written(_length, {"type": "string"})] = 0

    async def perform(self, session: Any) -> None:
        raise NotImplementedError


@verb("returns", short="status")
@dataclass(frozen=True, slots=True)
class Returns:
    """The response has this status."""

    status: int = 200

    def judge(self, view: Any, requirement: str) -> Any:
        raise NotImplementedError


POLL = verb_of(Poll)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("/x", Poll(path="/x")),
        ({"path": "/x", "statuses": 503}, Poll(path="/x", statuses=(503,))),
        ({"path": "/x", "statuses": [503, 200]}, Poll(path="/x", statuses=(503, 200))),
        ({"path": "/x", "mode": "slow", "times": 2, "wait_s": 1}, Poll(path="/x", mode="slow", times=2, wait_s=1)),
        ({"path": "/x", "size": "four"}, Poll(path="/x", size=4)),
        ({"path": "/x", "name": "a"}, Poll(path="/x", name="a")),
    ],
)
def test_a_value_is_read_from_its_members(written: Any, value: Poll) -> None:
    assert POLL.read(written) == value


@pytest.mark.parametrize(
    ("written", "reported"),
    [
        (None, "path: missing. Write {path: ...}"),
        ({"pat": "/x"}, "unknown key 'pat'. Did you mean path?"),
        ({"path": 1}, "path: "),
        ({"path": "/x", "mode": "slo"}, "mode: unknown word 'slo'. Did you mean slow?"),
        ({"path": "/x", "statuses": 99}, "statuses: 99 is no status of HTTP; they are 100 to 599"),
        ({"path": "/x", "statuses": ["200"]}, "statuses: "),
        ({"path": "/x", "times": -1}, "times: -1 is less than 0"),
        ({"path": "/x", "times": True}, "times: "),
        ({"path": "/x", "wait_s": 61}, "wait_s: 61 s is longer than a case may wait"),
        ({"path": "/x", "wait_s": float("nan")}, "wait_s: nan is no number"),
        ({"path": "/x", "size": 4}, "size: 4 is not a text"),
    ],
)
def test_a_wrong_value_is_reported_with_its_member(written: Any, reported: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reported)):
        POLL.read(written)


def test_a_verb_without_a_short_form_takes_no_value_alone() -> None:
    with pytest.raises(ValueError, match=r"takes members, \{.*path: .*; seen: 3"):
        Verb("x", Poll).read(3)


@pytest.mark.parametrize(
    ("text", "n", "value"),
    [
        ("GET /x eventually returns 503 or 200", 0, Poll(path="/x", statuses=(503, 200))),
        ("GET /x is ready in slow mode within 1 time", 1, Poll(path="/x", mode="slow", times=1)),
        ("GET /x is ready in fast mode within 2 times", 1, Poll(path="/x", times=2)),
    ],
)
def test_a_value_is_read_from_a_sentence(text: str, n: int, value: Poll) -> None:
    found = [re.fullmatch(POLL.pattern(one), text) for one in POLL.phrases]
    assert [one is not None for one in found] == [m == n for m in range(3)]
    matched = found[n]
    assert matched is not None
    assert POLL.from_phrase(POLL.phrases[n], matched.groupdict()) == value


def test_a_text_block_is_the_value_of_its_member() -> None:
    assert POLL.from_phrase(POLL.phrases[2], {"path": "/x"}, block={"a": 1}) == Poll(path="/x", body={"a": 1})


def test_members_have_the_texts_below_them_and_those_of_their_base() -> None:
    docs = {one.name: one.doc for one in POLL.members}
    assert docs | {"name": "The name of it.", "path": "Path and query.", "statuses": "", "mode": "How often."} == docs
    assert [one.name for one in POLL.members if one.is_needed] == ["path"]


def test_a_class_with_perform_is_an_action_and_one_with_judge_an_expectation() -> None:
    vocabulary = Vocabulary.of(Poll, Returns)
    assert (list(vocabulary.actions), list(vocabulary.expectations)) == (["poll"], ["returns"])
    assert Vocabulary.of(also=vocabulary) == vocabulary


def test_two_verbs_of_one_name_are_reported() -> None:
    with pytest.raises(VocabularyError, match="two verbs are called poll: Poll, Poll"):
        Vocabulary.of(Poll, also=Vocabulary.of(Poll))


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)
def test_the_example_of_a_type_is_one(kind: Any) -> None:
    assert re.fullmatch(kind.pattern, kind.example)
    assert kind.convert(kind.example) is not None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("int", "12", 12),
        ("number", "12", 12),
        ("number", "0.5", 0.5),
        ("word", "tool_calls", "tool_calls"),
        ("text", '"a b"', "a b"),
        ("text", '""', ""),
        ("names", "a", ["a"]),
        ("names", "a, b and c", ["a", "b", "c"]),
        ("names", "a or b", ["a", "b"]),
        ("status", "4xx", "4xx"),
        ("statuses", "200, 4xx and 503", [200, "4xx", 503]),
        ("json", "[1, null]", [1, None]),
        ("responses", "the first and the second", ["first", "second"]),
        ("responses", "it", ["it"]),
    ],
)
def test_a_placeholder_is_converted(name: str, text: str, value: Any) -> None:
    assert re.fullmatch(TYPES[name].pattern, text)
    assert TYPES[name].convert(text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("int", "-1"), ("int", "1.5"), ("number", "1."), ("text", '"a"b"'), ("names", "a and"), ("status", "600x")],
)
def test_a_text_of_another_type_does_not_fit(name: str, text: str) -> None:
    assert not re.fullmatch(TYPES[name].pattern, text)


def test_json_that_is_not_valid_is_reported() -> None:
    with pytest.raises(ValueError, match=r"ten is not JSON .* texts in double quotes"):
        TYPES["json"].convert("ten")


def test_the_longest_word_of_a_choice_fits_first() -> None:
    assert re.match(choice(("on", "only")).pattern, "only")[0] == "only"  # type: ignore[index]


def test_a_sentence_has_the_examples_of_its_verb_and_else_of_its_types() -> None:
    assert [sentence(POLL, one) for one in POLL.phrases[:2]] == [
        "GET /ready eventually returns 503 or 200",
        "GET /ready is ready in fast mode within 3 times",
    ]
    assert plain_sentence(POLL, POLL.phrases[0]) == "GET /health eventually returns 200"


@pytest.mark.parametrize(
    ("name", "shown", "default"),
    [
        ("path", "text", "needed"),
        ("statuses", "list of whole number", "`[200]`"),
        ("mode", "`fast`, `slow`", '`"fast"`'),
        ("times", "whole number", ""),
        ("wait_s", "number", "`0.5`"),
        ("body", "any value", ""),
        ("size", "whole number", "`0`"),
    ],
)
def test_types_and_defaults_are_shown_in_words(name: str, shown: str, default: str) -> None:
    member = next(one for one in POLL.members if one.name == name)
    assert (type_of(member.hint), default_of(member)) == (shown, default)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_no_two_sentences_of_a_profile_are_the_same(profile: Profile) -> None:
    templates = [(one.is_action, said.template) for one in profile.vocabulary for said in one.phrases]
    assert len(templates) == len(set(templates))
