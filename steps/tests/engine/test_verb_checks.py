"""What the author of a profile is told of a mistake in the definition of a verb."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.verbs import Vocabulary, VocabularyError, phrase, verb


class Judges:
    __slots__ = ()

    def judge(self, view: object, requirement: str) -> Iterator[Evidence]:
        raise NotImplementedError


@verb("echoed", short="txt")
@phrase("the server returns {tekst}")
@phrase("the server returns {text:txt}")
@phrase("the server returns {text} and {text}")
@phrase("the server returns {text")
@phrase("the server returns nothing", statuses=(200,))
@phrase("the server returns this:", block="body")
@dataclass(frozen=True, slots=True)
class Echoed(Judges):
    text: str


@verb("passive")
@dataclass(frozen=True, slots=True)
class Passive:
    """It neither acts nor judges."""


@dataclass(frozen=True, slots=True)
@verb("below")
class Below(Judges):
    """The decorators are in the wrong order."""


class Plain:
    """No decorator."""


@verb("typed")
@dataclass(frozen=True, slots=True)
class Typed(Judges):
    """A member of a type that YAML has no value for."""

    text: "Judges"


@verb("hidden")
@dataclass(frozen=True, slots=True)
class Hidden(Judges):
    """A member of a type that is not there."""

    text: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("kind", "mistakes"),
    [
        (
            Echoed,
            (
                "Echoed has no docstring; write one below the class line",
                "short: unknown member 'txt'. Did you mean text?",
                "{tekst}: unknown member 'tekst'. Did you mean text?",
                "{text:txt}: unknown type 'txt'. Did you mean text?",
                "{text} stands twice",
                "a brace is not part of a placeholder",
                "unknown member 'statuses'. Known: text.",
                "unknown member 'body'. Known: text.",
            ),
        ),
        (Passive, ("Passive has neither `perform` (an action) nor `judge`",)),
        (Below, ('Below is not a verb; write @verb("name") above its @dataclass',)),
        (Plain, ('Plain is not a verb; write @verb("name") above its @dataclass',)),
    ],
)
def test_every_mistake_is_told_with_file_and_line(kind: type, mistakes: tuple[str, ...]) -> None:
    with pytest.raises(VocabularyError) as error:
        Vocabulary.of(kind)
    lines = str(error.value).splitlines()
    assert len(lines) == len(mistakes)
    for line, mistake in zip(lines, mistakes, strict=True):
        assert mistake in line
        assert re.match(rf"{re.escape(__file__)}:\d+: ", line)


@pytest.mark.parametrize(
    ("kind", "mistake"),
    [
        (Typed, "text: no value of its type can be written in YAML"),
        (Hidden, "name 'Nowhere' is not defined. Import the types at module level"),
    ],
)
def test_types_that_no_case_can_use(kind: Any, mistake: str) -> None:
    (line,) = Vocabulary.of(kind).type_mistakes()
    assert mistake in line
    assert re.match(rf"{re.escape(__file__)}:\d+: ", line)
