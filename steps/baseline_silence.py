"""Which entries of a baseline a run could not decide on: they excused nothing, and may be needed still. They fail no run."""

from collections.abc import Container, Iterator, Sequence

from rollout_conformance.steps import catalogues
from rollout_conformance.steps.baseline import Baseline, Known
from rollout_conformance.steps.baseline_check import DECIDED, listed_cases, of, passed_whole
from rollout_conformance.steps.engine.findings import BROKEN, Verdict
from rollout_conformance.steps.engine.outcome import Outcome

LISTED = 12  # requirements in one line, and lines
NOT_PLAYED = "not played by this run"
NOT_DECIDED = {Verdict.SKIP: "skipped", Verdict.ERROR: "could not be judged", Verdict.INCONCLUSIVE: "inconclusive"}


def not_judged(baseline: Baseline, outcomes: Sequence[Outcome], stale: Container[Known]) -> list[str]:
    """Each requirement with its cases and the reason; in one line those whose cases were not played. Empty where there are none."""
    groups: dict[tuple[str, str], list[Known]] = {}
    for one in _silent(baseline, outcomes, stale):
        why = _why(one, list(of(one, outcomes)))
        groups.setdefault((why, "" if why == NOT_PLAYED else one.requirement), []).append(one)
    if not groups:
        return []
    shown = [f"    {_told(why, some)}" for (why, _), some in groups.items()]
    more = [f"    and {len(shown) - LISTED} more"] if len(shown) > LISTED else []
    count = sum(map(len, groups.values()))
    entries = "1 entry was" if count == 1 else f"{count} entries were"
    return [
        f"  baseline: {entries} not judged in full by this run and may be outdated:",
        *shown[:LISTED],
        *more,
    ]


def _silent(baseline: Baseline, outcomes: Sequence[Outcome], stale: Container[Known]) -> Iterator[Known]:
    """An entry that is flaky is needed also where it did not fail."""
    profiles = {outcome.case.profile for outcome in outcomes}
    decided = [outcome for outcome in outcomes if outcome.judgement.verdict in DECIDED]
    for one in baseline.known:
        mine = one not in baseline.met and one not in stale and catalogues.profile_with(one.requirement) in profiles
        if mine and not (one.entry.flaky and any(of(one, decided))):
            yield one


def _told(why: str, some: Sequence[Known]) -> str:
    about = sorted({one.requirement for one in some})
    if len(about) == 1:
        return f"{f'{some[0].at}: ' if some[0].at else ''}{listed_cases(some)}: {why}"
    more = f" and {len(about) - LISTED} more" if len(about) > LISTED else ""
    return f"{', '.join(about[:LISTED])}{more}: {why}"


def _why(one: Known, played: Sequence[Outcome]) -> str:
    """Why nothing is known of an entry: the first of its cases that was not decided or broke something else, or what was not played."""
    if not played:
        return NOT_PLAYED
    open_ = next((outcome for outcome in played if not passed_whole(outcome, one.requirement)), None)
    if open_ is None:
        return "what was played of its cases passed; the others were not played"
    judgement = open_.judgement
    if judgement.verdict in NOT_DECIDED:
        return f"{NOT_DECIDED[judgement.verdict]}: {judgement.reason}"
    broken = [name for name, verdict in judgement.requirements.items() if verdict in BROKEN and name != one.requirement]
    if broken:
        return f"broke {', '.join(broken)}, and this requirement was not judged in full"
    if one.requirement in {finding.requirement for finding in judgement.findings}:
        return "broken, and another entry excuses it"
    return f"ended otherwise, and was not judged in full: {judgement.reason or 'no occasion arose'}"
