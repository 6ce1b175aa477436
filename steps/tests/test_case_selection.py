"""`--case`: part of a name in any case, a full name for that case alone, and what is near where nothing matches."""

import pytest

from rollout_conformance.steps.case_selection import chosen
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Location, SuiteError


def case(name: str, file: str = "features/rollout/history.feature", about: str = "ROLLOUT-049") -> Case:
    return Case(name, "rollout", "sync", (about,), (), Location(file, 7), tags=frozenset({"slow"}))


FIVE, MORE = case("Five plus three"), case("Five plus three and then some")
ROW, RETRY = (
    case('Kept: floats[floats-{"a": 5.0}]'),
    case("503 once is retried", "scenarios/rollout/retry.yaml", "ROLLOUT-084"),
)
ARGUMENTS = (case("Tool arguments are kept byte for byte: floats"), case("escapes in tool arguments are kept"))
ALL = [FIVE, MORE, ROW, RETRY]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), ALL),
        (("Five plus three",), [FIVE]),  # the whole name of a case is that case, as a rerun line has it
        (("five plus three",), [FIVE]),
        (("PLUS",), [FIVE, MORE]),
        (("five*some",), [MORE]),
        (("Five plus*",), [FIVE, MORE]),
        (('Kept: floats[floats-{"a": 5.0}]',), [ROW]),
        (("[floats",), [ROW]),
        (("history.feature",), [FIVE, MORE, ROW]),
        (("features/rollout/history.feature:7",), [FIVE, MORE, ROW]),
        (("ROLLOUT-084",), [RETRY]),
        (("rollout-084", "kept"), [ROW, RETRY]),
        (("retry",), [RETRY]),
        (("slow",), ALL),
    ],
)
def test_what_a_pattern_means(patterns: tuple[str, ...], expected: list[Case]) -> None:
    assert chosen(ALL, patterns) == expected


def test_a_pattern_that_means_nothing_is_refused_with_what_is_near() -> None:
    with pytest.raises(SuiteError) as error:
        chosen(ALL, ("plus", "fvie plus three"))
    assert str(error.value) == (
        "--case fvie plus three: no case has this in its name, id, file or requirements. Near it:\n"
        '  "Five plus three"\n  "Five plus three and then some"\n`rollout-conformance lint --list` lists them all.'
    )


def test_or_with_how_to_list_them() -> None:
    with pytest.raises(SuiteError, match=r"requirements\. `rollout-conformance lint --list` lists them all"):
        chosen(ALL, ("zzz",))


def test_of_names_that_have_as_many_of_the_words_the_one_that_begins_with_them_is_nearest() -> None:
    with pytest.raises(SuiteError) as error:
        chosen(ARGUMENTS, ("Tool argumnts are kept",))
    near = [line.strip() for line in str(error.value).splitlines()[1:3]]
    assert near == [f'"{one.name}"' for one in ARGUMENTS]
