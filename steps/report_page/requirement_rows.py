"""The requirements of a run by level and dialect: which were kept, which were broken, and which were not judged, and why."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.findings import LEVELS, Verdict
from rollout_conformance.steps.engine.report_file import WORST_FIRST, CaseLine, Result

WORDS: Mapping[Verdict, str] = {
    Verdict.FAIL: "broken",
    Verdict.IGNORED: "broken",
    Verdict.ERROR: "undecided",
    Verdict.PASS: "kept",
    Verdict.INCONCLUSIVE: "undecided",
    Verdict.SKIP: "undecided",
}
NO_CASE = "no case of this run is about it"
NO_OCCASION = "its cases ran, and no occasion arose to judge it"
NO_RESULT = "its cases were not played before the run ended"
MOST_REASONS = 3  # of one requirement


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement. `by_dialect` has a word for each dialect in which it was judged; `state` is the worst of them."""

    id: str
    level: str
    sentence: str
    why: str
    state: str
    by_dialect: Mapping[str, str]
    cases: int
    reason: str = ""


@dataclass(slots=True)
class RequirementTable:
    """Filled case by case."""

    catalogue: Mapping[str, Requirement]
    levels: dict[str, str] = field(default_factory=dict)
    worst: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    broken_in: Counter[str] = field(default_factory=Counter)
    reasons: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, case: CaseLine, result: Result) -> None:
        for one in result.requirements:
            self.levels.setdefault(one.id, one.level)
            known = self.worst.get((one.id, case.dialect))
            if known is None or WORST_FIRST.index(one.verdict) < WORST_FIRST.index(known):
                self.worst[one.id, case.dialect] = one.verdict
            self.broken_in[one.id] += WORDS[one.verdict] == "broken"
        if result.verdict in (Verdict.SKIP, Verdict.INCONCLUSIVE, Verdict.ERROR):
            judged = {one.id for one in result.requirements if WORDS[one.verdict] != "undecided"}
            for name in set(case.requirements) - judged:
                self.reasons[name][result.reason or f"its case is {result.verdict}"] += 1

    def rows(self, dialects: Iterable[str], whole: bool) -> list[Row]:
        """Every requirement that was judged, or that the catalogue has for these dialects: by level, then id."""
        asked = set(dialects)
        names = set(self.levels) | {n for n, one in self.catalogue.items() if asked.intersection(one.dialects)}
        return sorted((self._row(name, whole) for name in names), key=lambda row: (_rank(row.level), row.id))

    def _row(self, name: str, whole: bool) -> Row:
        entry = self.catalogue.get(name)
        by_dialect = {dialect: WORDS[verdict] for (one, dialect), verdict in self.worst.items() if one == name}
        state = next((word for word in ("broken", "kept", "undecided") if word in by_dialect.values()), "unjudged")
        level = self.levels.get(name) or (entry.level if entry else "may")
        why = "" if state in ("broken", "kept") else self._reason(name, entry, state, whole)
        sentence, purpose = (entry.sentence, entry.why or "") if entry else ("", "")
        return Row(
            id=name,
            level=level,
            sentence=sentence,
            why=purpose,
            state=state,
            by_dialect=by_dialect,
            cases=self.broken_in[name],
            reason=why,
        )

    def _reason(self, name: str, entry: Requirement | None, state: str, whole: bool) -> str:
        if found := self.reasons.get(name):
            return "; ".join(reason for reason, _ in found.most_common(MOST_REASONS))
        if entry is not None and entry.not_judged:
            return entry.not_judged
        if state == "undecided":
            return NO_OCCASION
        return NO_CASE if whole else NO_RESULT


@dataclass(frozen=True, slots=True)
class Cell:
    """How many requirements of a level are kept, broken or undecided in a dialect."""

    kept: int
    broken: int
    undecided: int


def matrix(rows: Iterable[Row], dialects: Iterable[str]) -> list[tuple[str, list[Cell]]]:
    """By level, a cell for each dialect."""
    by_level: dict[str, list[Row]] = {level: [] for level in LEVELS}
    for row in rows:
        by_level.setdefault(row.level, []).append(row)
    return [
        (level, [_cell(row.by_dialect.get(dialect) for row in some) for dialect in dialects])
        for level, some in by_level.items()
        if some
    ]


def _cell(words: Iterable[str | None]) -> Cell:
    found = Counter(words)
    return Cell(found["kept"], found["broken"], found["undecided"])


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)
