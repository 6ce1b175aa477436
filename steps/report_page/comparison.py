"""Several targets on one page, requirement by requirement. It needs no JavaScript, and has none."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.findings import LEVELS
from rollout_conformance.steps.engine.run_summary import plural
from rollout_conformance.steps.report_page.page import environment, joined
from rollout_conformance.steps.report_page.policy import policy
from rollout_conformance.steps.report_page.requirement_rows import Cell

STYLES = ("base", "overview", "comparison")
BROKEN, KEPT = "broken", "kept"


@dataclass(frozen=True, slots=True)
class Compared:
    """One target: `words` are `kept`, `broken` or another word by requirement and dialect, `levels` those of the requirements."""

    number: int
    name: str
    dialects: Sequence[str]
    suite: str
    started: str
    report: str
    evidence: bool
    levels: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]

    def word(self, requirement: str) -> str:
        """The worst word of a requirement; empty where it was judged in no dialect."""
        found = set(self.words.get(requirement, {}).values())
        return next((word for word in (BROKEN, KEPT) if word in found), "")

    @property
    def counts(self) -> Mapping[str, Cell]:
        """How many requirements of each level are kept, broken or not judged."""
        found = {
            level: Counter(self.word(name) for name, one in self.levels.items() if one == level) for level in LEVELS
        }
        return {level: Cell(some[KEPT], some[BROKEN], some[""]) for level, some in found.items()}


@dataclass(frozen=True, slots=True)
class TargetCell:
    """`dialects` are those in which a requirement is broken, where it is not in all."""

    word: str
    dialects: str

    @property
    def dot(self) -> str:
        return self.word if self.word in (BROKEN, KEPT) else ""


@dataclass(frozen=True, slots=True)
class RequirementRow:
    id: str
    level: str
    sentence: str
    why: str
    state: str
    by_target: Sequence[TargetCell]


def render(profile: str, targets: Sequence[Compared], catalogue: Mapping[str, Requirement]) -> Iterator[str]:
    """The page, piece by piece."""
    style = joined("style", STYLES, "css")
    rows = [_row(name, targets, catalogue) for name in sorted({name for one in targets for name in one.levels})]
    rows.sort(key=lambda row: (_rank(row.level), row.id))
    return (
        environment()
        .get_template("comparison.html.jinja")
        .generate(
            profile=profile,
            targets=targets,
            levels=LEVELS,
            sentence=_sentence(targets),
            policy=policy((), [style]),
            style=Markup(style),  # noqa: S704 (of this package)
            broken=[row for row in rows if row.state == BROKEN],
            kept=[row for row in rows if row.state == KEPT],
            unjudged=[row for row in rows if not row.state],
        )
    )


def _sentence(targets: Sequence[Compared]) -> str:
    right = sum(one.evidence and not one.counts["must"].broken for one in targets)
    return f"{right} of {plural(len(targets), 'target')} break no MUST that was judged."


def _row(name: str, targets: Sequence[Compared], catalogue: Mapping[str, Requirement]) -> RequirementRow:
    entry = catalogue.get(name)
    level = next((one.levels[name] for one in targets if name in one.levels), "")
    words = {one.word(name) for one in targets}
    state = next((word for word in (BROKEN, KEPT) if word in words), "")
    cells = [_cell(one, name) for one in targets]
    return RequirementRow(
        name, level, entry.sentence if entry else "", (entry.why or "") if entry else "", state, cells
    )


def _cell(target: Compared, name: str) -> TargetCell:
    found = target.words.get(name, {})
    broken = [dialect for dialect, word in found.items() if word == BROKEN]
    return TargetCell(target.word(name), ", ".join(broken) if 0 < len(broken) < len(found) else "")


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)
