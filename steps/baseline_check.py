"""Which entries of a baseline are to be changed: each of these fails a run, because an outdated list hides what is new."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rollout_conformance.steps import catalogues
from rollout_conformance.steps.baseline import Baseline, Known
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import BROKEN, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.suggestions import similar_names

DECIDED = (Verdict.PASS, Verdict.FAIL, Verdict.SKIP)
LISTED = 12  # requirements that one line names


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run could have judged: every case there is of its profile, selected or not, and the dialects of the target; None for all.

    An entry is out of date only where everything that it names was played: what fails in a case that was not selected may fail still.
    """

    cases: Callable[[], Iterable[Case]]
    dialects: frozenset[str] | None = None


def lines(found: Iterable[tuple[Known, str]]) -> list[str]:
    return [f"{f'{one.at}: ' if one.at else ''}{one} {told}" for one, told in found]


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


def not_judged(baseline: Baseline, outcomes: Sequence[Outcome], stale: Container[Known]) -> str:
    """A line about the entries that a run could not tell whether they are still needed; empty where there are none. An entry that is flaky
    is needed also where it did not fail."""
    profiles = {outcome.case.profile for outcome in outcomes}
    decided = [outcome for outcome in outcomes if outcome.judgement.verdict in DECIDED]
    silent = [
        one
        for one in baseline.known
        if one not in baseline.met
        and one not in stale
        and catalogues.profile_with(one.requirement) in profiles
        and not (one.entry.flaky and any(_of(one, decided)))
    ]
    if not silent:
        return ""
    about = sorted({one.requirement for one in silent})
    more = f" and {len(about) - LISTED} more" if len(about) > LISTED else ""
    entries = "1 entry was" if len(silent) == 1 else f"{len(silent)} entries were"
    return (
        f"  baseline: {entries} not judged in full by this run and may be outdated: {', '.join(about[:LISTED])}{more}"
    )


def _known_from_outcomes(baseline: Baseline, one: Known, outcomes: Iterable[Outcome]) -> str | None:
    if baseline.expired(one):
        return f"is expired since {one.entry.until} ({one.entry.reason}): it excuses nothing. Repair it, or give it a new day."
    plays = one.entry.flaky
    if plays and any(o.repeats and o.judgement.requirements.get(one.requirement) in BROKEN for o in _of(one, outcomes)):
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
    judged = [o for o in _of(one, outcomes) if one.requirement in o.judgement.requirements]
    kept = judged and all(o.judgement.requirements[one.requirement] is Verdict.PASS for o in judged)
    about = (case for case in named if one.requirement in case.requirements)
    decided = {outcome.case.id for outcome in outcomes if outcome.judgement.verdict in DECIDED}
    whole = all(case.id in decided for case in about if dialects is None or case.dialect in dialects)
    if kept and whole and not one.entry.flaky:
        return f"is listed as known ({one.entry.reason}) but did not fail; remove it."
    return ""


def _of(one: Known, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    return (outcome for outcome in outcomes if one.names(outcome.case))
