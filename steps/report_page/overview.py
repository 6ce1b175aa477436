"""What a whole run shows, gathered in one reading of its report: cases, causes, requirements, and one plain sentence."""

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.findings import Verdict, counts
from rollout_conformance.steps.engine.report_file import CaseLine, Report, Result, SoakLine
from rollout_conformance.steps.report_page.causes import Cause, Causes
from rollout_conformance.steps.report_page.requirement_rows import RequirementTable, Row, matrix

CLOSING = "Not conformant"
MOST_CASES = 20_000  # on the page, of those that passed and of the others; more are in the report only
WARN, KNOWN = "warn", "known"
FIRST = (Verdict.FAIL, Verdict.ERROR, WARN, Verdict.INCONCLUSIVE, KNOWN, Verdict.PASS, Verdict.SKIP)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case in the list of all. `causes` are numbers; `weaker` when only requirements that do not fail the run are broken."""

    n: int
    case: CaseLine
    verdict: Verdict
    seconds: float
    reason: str
    causes: list[int]
    known: bool
    weaker: bool


@dataclass
class Overview:
    """Filled case by case by `of`."""

    report: Report
    catalogue: Mapping[str, Requirement]
    closing: str = CLOSING
    rows: list[CaseRow] = field(default_factory=list)
    causes: Causes = field(default_factory=Causes)
    table: RequirementTable = field(init=False)
    reasons: dict[Verdict, Counter[str]] = field(default_factory=dict)
    accused: dict[str, bool] = field(
        default_factory=dict
    )  # the broken requirements that count; whether each is a known one
    soak: SoakLine | None = None
    counted: Counter[Verdict] = field(default_factory=Counter)  # of all cases of the report
    shown: Counter[str] = field(default_factory=Counter)  # the same, under the words of the list and of the terminal
    numbers: dict[int, int] = field(default_factory=dict)  # of the cases on the page, by their place in the report
    room: dict[bool, int] = field(
        default_factory=lambda: {False: MOST_CASES, True: MOST_CASES}
    )  # True: for what passed

    def __post_init__(self) -> None:
        self.table = RequirementTable(self.catalogue)

    @classmethod
    def of(cls, report: Report, catalogue: Mapping[str, Requirement], closing: str = CLOSING) -> "Overview":
        """Read the results once. Lines of the cases come first in a report, so that every result finds its case."""
        found = cls(report, catalogue, closing)
        known: dict[str, CaseLine] = {}
        for line in report.lines():
            if isinstance(line, CaseLine):
                known[line.id] = line
            elif isinstance(line, SoakLine):
                found.soak = line
            elif isinstance(line, Result):
                found._add(known.get(line.case) or from_id(line.case), line)
        return found

    def _add(self, case: CaseLine, result: Result) -> None:
        self.counted[result.verdict] += 1
        self.shown[shown_word(result)] += 1
        self.table.add(case, result)
        if result.reason:
            self.reasons.setdefault(result.verdict, Counter())[result.reason] += 1
        for finding in result.findings:
            if not finding.strict_only and counts(finding.level, self.report.header.level):
                self.accused[finding.requirement] = self.accused.get(finding.requirement, True) and bool(finding.known)
        n = self._number(result)
        if n is None:
            return
        numbers = self.causes.add(n, result)
        weaker = bool(result.findings) and result.verdict is not Verdict.FAIL
        row = CaseRow(
            n=n,
            case=case,
            verdict=result.verdict,
            seconds=result.seconds,
            reason=result.reason,
            causes=numbers,
            known=bool(result.known),
            weaker=weaker,
        )
        self.rows.append(row)

    def _number(self, result: Result) -> int | None:
        """The number of a case on the page; None where the page has no room for it. What did not pass has room of its own."""
        position = self.counted.total() - 1
        room = result.verdict in (Verdict.PASS, Verdict.SKIP) and not result.findings
        if self.room[room] <= 0:
            return None
        self.room[room] -= 1
        self.numbers[position] = len(self.rows)
        return len(self.rows)

    @property
    def left_out(self) -> int:
        """How many cases only the report has."""
        return self.counted.total() - len(self.rows)

    @property
    def broken(self) -> list[str]:
        """What fails the run, by id."""
        return sorted(name for name, known in self.accused.items() if not known)

    @property
    def known(self) -> list[str]:
        return sorted(name for name, known in self.accused.items() if known)

    @functools.cached_property
    def requirements(self) -> list[Row]:
        return self.table.rows(self.dialects, self.report.aborted is None)

    @functools.cached_property
    def dialects(self) -> list[str]:
        """Those of the header and those of the cases: a report of another tool may lack the former."""
        return list(dict.fromkeys([*self.report.header.dialects, *(row.case.dialect for row in self.rows)]))

    @property
    def matrix(self) -> list[tuple[str, list[object]]]:
        return [(level, list(cells)) for level, cells in matrix(self.requirements, self.dialects)]

    @property
    def verdicts(self) -> list[tuple[str, int]]:
        """How the cases ended with their counts, the worst first. Each case is counted once, as in the list and on the terminal."""
        return [(str(word), self.shown[word]) for word in FIRST if self.shown[word]]

    def grouped(self) -> list[tuple[Row, list[Cause]]]:
        """The broken requirements with their causes, in the order of the causes: what most cases begin to go wrong with is first."""
        rows = {row.id: row for row in self.requirements}
        groups: dict[str, list[Cause]] = {}
        for cause in self.causes.sorted():
            groups.setdefault(cause.requirement, []).append(cause)
        return [(rows[name], causes) for name, causes in groups.items() if name in rows]

    @property
    def state(self) -> str:
        """`broken`, `open` where the run does not say, or `kept`."""
        if self.broken:
            return "broken"
        whole = self.report.aborted is None and not self.counted[Verdict.ERROR]
        return "kept" if whole and any(row.state == "kept" for row in self.requirements) else "open"

    @property
    def sentence(self) -> str:
        kept = sum(row.state == "kept" for row in self.requirements)
        if self.broken:
            return f"{self.closing}: {amount(len(self.broken), 'requirement is', 'requirements are')} broken."
        if self.report.aborted is not None:
            return f"No verdict: the run did not get to its end. Nothing required was seen broken in {amount(kept, 'requirement')}."
        if self.counted[Verdict.ERROR]:
            return f"Could not be judged in full: nothing required was seen broken in {amount(kept, 'requirement')}, but cases failed to run."
        if not kept:
            return "No verdict: no case gave evidence for a requirement."
        if self.known:
            return f"Nothing new is broken: {amount(kept, 'requirement')} kept, {len(self.known)} known to be broken."
        return f"Nothing required is broken: {amount(kept, 'requirement was', 'requirements were')} judged and kept."


def shown_word(result: Result) -> str:
    """The word under which a case is counted: its verdict, or what a baseline or a warning makes of that (`shownVerdict` in store.js)."""
    if result.known:
        return KNOWN
    return WARN if result.verdict is Verdict.PASS and result.findings else str(result.verdict)


def amount(count: int, one: str, many: str | None = None) -> str:
    """`1 case`, `2 cases`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def from_id(name: str) -> CaseLine:
    """The case of an id whose line is missing: `file::name[dialect]`."""
    at, _, rest = name.partition("::")
    title, _, dialect = rest.rpartition("[")
    return CaseLine(type="case", id=name, name=title or rest or name, dialect=dialect.removesuffix("]"), at=at)
