"""What changed from one run to another: which cases, and which requirements."""

from collections.abc import Iterator
from dataclasses import dataclass

from rollout_conformance.steps.engine.findings import BROKEN
from rollout_conformance.steps.engine.run_summary import plural
from rollout_conformance.steps.outputs.runs import PastRun, name_of

SLOWER_BY, SLOWER_S = 2.0, 0.5  # a case is slower when it takes twice as long, and half a second longer
LISTED = 30  # cases of each kind


@dataclass(frozen=True, slots=True)
class Change:
    """Ids of cases, and requirements. `slower` has the seconds before and after."""

    broken: list[str]
    fixed: list[str]
    newly_judged: list[str]
    no_longer_judged: list[str]
    slower: list[tuple[str, float, float]]
    still_broken: int
    requirements_broken: list[str]
    requirements_fixed: list[str]


def changes(old: PastRun, new: PastRun) -> Change:
    """A case that only one of the runs has was not judged by the other."""
    judged_before = {name: end for name, end in old.cases.items() if end.judged}
    judged_now = {name: end for name, end in new.cases.items() if end.judged}
    bad_before = {name for name, end in judged_before.items() if end.verdict in BROKEN}
    bad_now = {name for name, end in judged_now.items() if end.verdict in BROKEN}
    slower = [
        (name, judged_before[name].seconds, end.seconds)
        for name, end in judged_now.items()
        if name in judged_before
        and end.seconds >= max(SLOWER_BY * judged_before[name].seconds, judged_before[name].seconds + SLOWER_S)
    ]
    return Change(
        broken=sorted(bad_now - bad_before),
        fixed=sorted(bad_before & judged_now.keys() - bad_now),
        newly_judged=sorted(judged_now.keys() - judged_before.keys() - bad_now),
        no_longer_judged=sorted(judged_before.keys() - judged_now.keys()),
        slower=sorted(slower, key=lambda one: one[1] - one[2]),
        still_broken=len(bad_now & bad_before),
        requirements_broken=sorted(new.broken - old.broken),
        requirements_fixed=sorted(old.broken & new.kept),
    )


def lines(old: PastRun, new: PastRun, change: Change) -> Iterator[str]:
    """As the terminal shows it: what is broken first."""
    for what, one in (("old", old), ("new", new)):
        counted = f"{plural(len(one.cases), 'case')}, {plural(len(one.broken), 'requirement')} broken"
        yield f"{what}  {one.file}  {one.header.target}  {one.header.started}  {counted}"
        if one.aborted:
            yield f"     no evidence: {one.aborted}"
    yield from _of_unlike_runs(old, new)
    yield ""
    if change.requirements_broken:
        yield f"BROKEN  {', '.join(change.requirements_broken)}"
    if change.requirements_fixed:
        yield f"FIXED   {', '.join(change.requirements_fixed)}"
    yield from _listed("broken", change.broken)
    yield from _listed("fixed", change.fixed)
    yield from _listed("no longer judged", change.no_longer_judged)
    yield from _listed("newly judged", change.newly_judged)
    slower = [f"{name_of(name)}: {before:.2f} s, now {after:.2f} s" for name, before, after in change.slower]
    yield from _block("slower", slower)
    yield sentence(change)


def _of_unlike_runs(old: PastRun, new: PastRun) -> Iterator[str]:
    """What the two runs were made with, where that differs: a case may end otherwise for it."""
    for what, before, after in (
        ("suite", old.header.suite, new.header.suite),
        ("tokenizer", old.header.tokenizer, new.header.tokenizer),
        ("nulls", old.header.nulls, new.header.nulls),
        ("level", old.header.level, new.header.level),
    ):
        if before != after:
            yield f"NOTE  {what} {before}, then {after}: what differs may not be the target"


def sentence(change: Change) -> str:
    parts = [
        f"{len(some)} {what}"
        for what, some in (
            ("broken", change.broken),
            ("fixed", change.fixed),
            ("newly judged", change.newly_judged),
            ("no longer judged", change.no_longer_judged),
            ("slower", change.slower),
        )
        if some
    ]
    still = f" {plural(change.still_broken, 'case')} broken in both." if change.still_broken else ""
    return (f"{', '.join(parts)}." if parts else "No difference.") + still


def _listed(what: str, cases: list[str]) -> Iterator[str]:
    yield from _block(what, [name_of(case) for case in cases])


def _block(what: str, rows: list[str]) -> Iterator[str]:
    if rows:
        yield f"{what} ({len(rows)})"
        yield from (f"  {row}" for row in rows[:LISTED])
        if len(rows) > LISTED:
            yield f"  and {len(rows) - LISTED} more"
        yield ""
