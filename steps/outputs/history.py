"""How the cases of a target ended from run to run: which are flaky, and since when one is broken."""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from rollout_conformance.steps.engine.findings import BROKEN, Verdict
from rollout_conformance.steps.engine.run_summary import plural
from rollout_conformance.steps.outputs.runs import End, PastRun, name_of

SIGNS = {Verdict.PASS: ".", Verdict.ERROR: "E", Verdict.SKIP: "s", Verdict.INCONCLUSIVE: "?"}
BAD, ABSENT = "F", " "


def lines(runs: Sequence[PastRun]) -> Iterator[str]:
    """Of each profile and target the runs, oldest first, and the cases that did not end alike in all of them."""

    def key(run: PastRun) -> tuple[str, str]:
        return run.header.profile, run.header.target

    for (profile, target), group in groupby(sorted(runs, key=lambda run: (*key(run), run.header.started)), key):
        some = list(group)
        yield f"{profile}  {target}  {plural(len(some), 'run')}"
        yield from (_run(n, one) for n, one in enumerate(some, 1))
        yield from _cases(some)
        yield ""


def _run(n: int, run: PastRun) -> str:
    bad = sum(end.verdict in BROKEN for end in run.cases.values())
    end = f"  no evidence: {run.aborted}" if run.aborted else ""
    return f"  {n:>3}  {run.header.started}  {plural(len(run.cases), 'case')}, {bad} failed  {run.file.name}{end}"


def _cases(runs: Sequence[PastRun]) -> Iterator[str]:
    names = sorted({name for run in runs for name in run.cases})
    rows = {name: "".join(_sign(run.cases.get(name)) for run in runs) for name in names}
    flaky = {name: row for name, row in rows.items() if is_flaky(row)}
    broken = {name: row for name, row in rows.items() if name not in flaky and _judged(row).endswith(BAD)}
    fixed = {name: row for name, row in rows.items() if name not in flaky and BAD in row and name not in broken}
    for what, some in (("flaky", flaky), ("broken", broken), ("fixed", fixed)):
        if some:
            yield f"  {what} ({len(some)})"
            yield from (f"    {row}  {name_of(name)}{_since(what, row, runs)}" for name, row in some.items())
    if not (flaky or broken or fixed):
        yield "  no case failed in any of them"


def is_flaky(row: str) -> bool:
    """Whether a case went from one end to the other and back. Once broken, or once fixed, is a change of the target."""
    return sum(one != other for one, other in pairwise(_judged(row))) > 1


def _judged(row: str) -> str:
    return "".join(sign for sign in row if sign in (BAD, SIGNS[Verdict.PASS]))


def _since(what: str, row: str, runs: Sequence[PastRun]) -> str:
    if what == "flaky":
        judged = _judged(row)
        return f"  failed {judged.count(BAD)} of {len(judged)}"
    wanted = BAD if what == "broken" else SIGNS[Verdict.PASS]
    first = len(row)
    for n in range(len(row) - 1, -1, -1):
        if row[n] == wanted:
            first = n
        elif row[n] in (BAD, SIGNS[Verdict.PASS]):
            return f"  since {runs[first].header.started}"
    return "  in every run that judged it"


def _sign(end: End | None) -> str:
    if end is None:
        return ABSENT
    return BAD if end.verdict in BROKEN else SIGNS[end.verdict]
