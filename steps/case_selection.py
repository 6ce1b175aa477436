"""Which of the cases that were loaded a user means: by name, id, file, requirement or tag, and by what they want of the target."""

from collections.abc import Callable, Iterable, Sequence

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.name_pattern import is_in, matches
from rollout_conformance.steps.engine.runner import EXCLUSIVE, LAST
from rollout_conformance.steps.engine.suggestions import near_texts, similar_names
from rollout_conformance.steps.profiles.base import Profile

WITH, WITHOUT, ONLY = "with", "without", "only"  # cases that want the target for themselves


def chosen(cases: Sequence[Case], patterns: Iterable[str]) -> list[Case]:
    """The cases that one of the patterns means, in their order; all without a pattern. Raises `SuiteError` for one that means none."""
    patterns = tuple(patterns)
    meant = {id(case) for pattern in patterns for case in _meant(cases, pattern)}
    return [case for case in cases if not patterns or id(case) in meant]


def wants_target_alone(case: Case, profile: Profile) -> bool:
    """Whether a case is played alone, or may leave the target otherwise than it found it."""
    return case.alone or bool({EXCLUSIVE, LAST} & case.tags) or profile.disturbs(case)


def sharing(cases: Sequence[Case], profile: Profile, exclusive: str) -> list[Case]:
    """All cases (`with`), those that leave the target to others too (`without`), or the rest (`only`)."""
    return [case for case in cases if exclusive == WITH or wants_target_alone(case, profile) == (exclusive == ONLY)]


def _meant(cases: Sequence[Case], pattern: str) -> list[Case]:
    """What a pattern is as a whole, else as a whole in any case, else what it is a part of: the full name of a case means that case alone."""
    ways: tuple[Callable[[Case], bool], ...] = (
        lambda case: matches(pattern, _texts(case)),
        lambda case: matches(pattern.casefold(), map(str.casefold, _texts(case))),
        lambda case: is_in(pattern, _texts(case)),
    )
    found = next((found for way in ways if (found := [case for case in cases if way(case)])), None)
    if found is None:
        raise SuiteError(
            f"--case {pattern}: no case has this in its name, id, file or requirements.{_near(cases, pattern)}"
        )
    return found


def _texts(case: Case) -> tuple[str, ...]:
    return (case.name, case.id, case.at.file, str(case.at), *case.requirements, *case.tags)


def _near(cases: Iterable[Case], pattern: str) -> str:
    cases = list(cases)
    ids = similar_names(pattern, sorted({name for case in cases for name in case.requirements}), 0.8)
    if ids:
        return f" Did you mean {' or '.join(ids)}?"
    near = near_texts(pattern, (case.name for case in cases))
    shown = "".join(f'\n  "{name}"' for name in near)
    listed = "`rollout-conformance lint --list` lists them all."
    return f" Near it:{shown}\n{listed}" if near else f" {listed}"
