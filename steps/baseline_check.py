"""Which entries of a baseline are to be changed: each of these fails a run, because an outdated list hides what is new."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rollout_conformance.steps import catalogues
from rollout_conformance.steps.baseline import Baseline, Known
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import BROKEN, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.suggestions import similar_names

DECIDED = (Verdict.PASS, Verdict.FAIL, Verdict.SKIP)
NAMED = 3  # cases that a line names


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run could have judged: every case there is of its profile, selected or not, and the dialects of the target; None for all.

    An entry is out of date only where everything that it names was played: what fails in a case that was not selected may fail still.
    """

    cases: Callable[[], Iterable[Case]]
    dialects: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Outdated:
    """What is to be changed in a baseline: `what` is the requirement with its cases, `at` where the first of them is listed."""

    at: Location | None
    what: str
    told: str

    @property
    def text(self) -> str:
        return f"{self.what} {self.told}"

    def __str__(self) -> str:
        return f"{self.at}: {self.text}" if self.at else self.text


def outdated(found: Iterable[tuple[Known, str]]) -> list[Outdated]:
    """One a requirement and reason, however many cases it is listed for."""
    groups: dict[tuple[str, str], list[Known]] = {}
    for one, told in found:
        groups.setdefault((one.requirement, told), []).append(one)
    return [Outdated(some[0].at, listed_cases(some), told) for (_, told), some in groups.items()]


def lines(found: Iterable[tuple[Known, str]]) -> list[str]:
    return [str(one) for one in outdated(found)]


def stale(baseline: Baseline, outcomes: Sequence[Outcome], scope: Scope) -> Iterator[tuple[Known, str]]:
    """The entries that are to be changed, with the reason; of those that concern the profiles of these outcomes."""
    profiles = {outcome.case.profile for outcome in outcomes}
    every: list[Case] | None = None
    for one in baseline.known:
        if catalogues.profile_with(one.requirement) not in profiles:
            continue
        told = _known_from_outcomes(baseline, one, outcomes)
        if told is None and one not in baseline.met:
            every = list(scope.cases()) if every is None else every
            told = _told(one, outcomes, every, scope.dialects)
        if told:
            yield one, told


def _known_from_outcomes(baseline: Baseline, one: Known, outcomes: Iterable[Outcome]) -> str | None:
    if baseline.expired(one):
        return f"is expired since {one.entry.until} ({one.entry.reason}): it excuses nothing. Repair it, or give it a new day."
    plays = one.entry.flaky
    if plays and any(o.repeats and o.judgement.requirements.get(one.requirement) in BROKEN for o in of(one, outcomes)):
        return (
            f"is listed as flaky ({one.entry.reason}) but failed {plays + 1} times in a row: it is not flaky any more."
        )
    return None


def _told(one: Known, outcomes: Sequence[Outcome], every: Sequence[Case], dialects: frozenset[str] | None) -> str:
    named = [case for case in every if one.names(case)]
    if not named:
        near = similar_names(one.pattern, [*(case.name for case in every), *(case.id for case in every)], 0.5)
        hint = " Near it: " + ", ".join(f'"{name}"' for name in near) if near else ""
        return f"names a case that does not exist.{hint}"
    meant = [case for case in named if dialects is None or case.dialect in dialects]
    played = list(of(one, outcomes))
    if not one.entry.flaky and (_kept(one, played, meant) or _passed(one, played, meant)):
        return f"is listed as known ({one.entry.reason}) but did not fail; remove it."
    return ""


def _kept(one: Known, played: Sequence[Outcome], meant: Sequence[Case]) -> bool:
    """Whether the requirement was judged and kept, and every case about it was decided."""
    judged = [o for o in played if one.requirement in o.judgement.requirements]
    kept = bool(judged) and all(o.judgement.requirements[one.requirement] is Verdict.PASS for o in judged)
    decided = {outcome.case.id for outcome in played if outcome.judgement.verdict in DECIDED}
    return kept and all(case.id in decided for case in meant if one.requirement in case.requirements)


def _passed(one: Known, played: Sequence[Outcome], meant: Sequence[Case]) -> bool:
    """Whether every case that the entry names passed as a whole. A case about another requirement, which broke this one on its way, shows
    nothing of it any more when it is right: no evidence for it is asked for there."""
    passed = {outcome.case.id for outcome in played} - {
        o.case.id for o in played if not passed_whole(o, one.requirement)
    }
    return bool(meant) and all(case.id in passed for case in meant)


def passed_whole(outcome: Outcome, requirement: str) -> bool:
    """Whether all of a case was judged, and nothing of this requirement was broken in it."""
    judgement = outcome.judgement
    broken = any(finding.requirement == requirement for finding in judgement.findings)
    return judgement.verdict is Verdict.PASS and not judgement.unjudged and not broken


def of(one: Known, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    return (outcome for outcome in outcomes if one.names(outcome.case))


def listed_cases(some: Sequence[Known]) -> str:
    """A requirement with the cases that these entries name, the first of them by name."""
    if len(some) == 1:
        return str(some[0])
    named = ", ".join(f'"{one.pattern}"' for one in some[:NAMED])
    more = f" and {len(some) - NAMED} more" if len(some) > NAMED else ""
    numbers = [one.at.line for one in some if one.at is not None]
    return f"{some[0].requirement} in {len(some)} cases ({named}{more}{f'; {_ranges(numbers)}' if numbers else ''})"


def _ranges(numbers: Sequence[int]) -> str:
    """`lines 8-24, 30`."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return "lines " + ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
