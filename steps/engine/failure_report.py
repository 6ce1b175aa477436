"""What a user reads when something is broken: one block a root cause.

Pure text. The same breach in forty cases is one block with a count and a list. What is known (a baseline lists it) is in no block.
"""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine import bug_reports
from rollout_conformance.steps.engine.findings import LEVELS, Finding
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.engine.wire_excerpt import wire_lines

WORDS = {"must": "FAIL", "should": "WARN", "may": "NOTE"}
WIDTH = 110  # of a text that is in no terminal
NARROW = 60
LEAST = 20  # narrower than this, nothing can be read
ONLY_BESIDE_OTHERS = (
    "alone, this case passes: it is broken only while other cases are in flight, which the rerun below plays as well"
)
LISTED = 5  # cases named in a block; the report has all
PLACE = "; chunk "  # what follows says where in a stream a breach is seen: no two of them are the same
# A text without its closing quote is one as well, so that no sign is read twice.
SHAPE = re.compile(r'rc-[0-9a-f]+-\d+x?|call_[\w-]+|"(?:[^"\\]++|\\.)*+"?|-?\d+(?:\.\d+)?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Group:
    """One root cause: a requirement, broken in the same way in these cases. The first is shown in full; `case_level` is the strongest level
    of what that case is about."""

    requirement: Requirement
    finding: Finding
    outcome: Outcome
    others: tuple[Outcome, ...] = ()
    case_level: str = LEVELS[0]

    @property
    def level(self) -> str:
        return self.finding.level({self.requirement.id: self.requirement.level})


def collapse(outcomes: Iterable[Outcome], catalogue: Mapping[str, Requirement]) -> list[Group]:
    """Findings of the same requirement and the same shape, whatever their numbers and ids, are one group. Known ones are in none."""
    groups: dict[tuple[str, str, str], Group] = {}
    for outcome in outcomes:
        for finding in outcome.judgement.findings:
            if finding.known:
                continue
            key = (
                finding.requirement,
                SHAPE.sub("#", finding.expected),
                SHAPE.sub("#", finding.observed.partition(PLACE)[0]),
            )
            known = groups.get(key)
            if known is None:
                groups[key] = Group(
                    catalogue[finding.requirement], finding, outcome, case_level=_case_level(outcome, catalogue)
                )
            elif all(
                outcome is not one for one in (known.outcome, *known.others[-1:])
            ):  # those of one outcome come in a row
                groups[key] = _joined(known, finding, outcome, catalogue)
    return sorted(groups.values(), key=lambda g: (list(WORDS).index(g.level), -len(g.others), g.requirement.id))


def _joined(known: Group, finding: Finding, outcome: Outcome, catalogue: Mapping[str, Requirement]) -> Group:
    """The group with one more case. The gravest is the one that is shown: a case about a SHOULD may have come first."""
    levels = {known.requirement.id: known.requirement.level}
    if LEVELS.index(finding.level(levels)) < LEVELS.index(known.level):
        others, level = (*known.others, known.outcome), _case_level(outcome, catalogue)
        return replace(known, finding=finding, outcome=outcome, others=others, case_level=level)
    return replace(known, others=(*known.others, outcome))


def _case_level(outcome: Outcome, catalogue: Mapping[str, Requirement]) -> str:
    levels = (catalogue[name].level for name in outcome.case.requirements if name in catalogue)
    return min(levels, key=LEVELS.index, default=LEVELS[0])


def finding_block(group: Group, width: int | None = None) -> str:
    """A finding as the terminal shows it, on lines of `width` characters; without one, as a file has it: what crossed the wire is not broken
    into lines there."""
    finding, page = group.finding, Page(width)
    lines = page.paragraph(title(group), "      ")
    if group.requirement.why:
        lines += page.field("why", group.requirement.why)
    if reported := bug_reports.short_line(group.requirement.id):
        lines += page.line(f"  {bug_reports.SHOWN}: {reported}")
    lines += page.field("expected", finding.expected) + page.field("observed", finding.observed)
    if note := note_on_level(group):
        lines += page.field("note", note)
    if finding.ignored:
        lines += page.field("note", "accepted, and ignored: nobody is told that what was asked for has no effect")
    if finding.state:
        lines += page.field("state", finding.state)
    if finding.strict_only:
        lines += page.field(
            "note", "counts in the strict reading only: null is taken for absent otherwise (--nulls compat)"
        )
    if finding.hint:
        lines += page.field("note", finding.hint)
    if group.outcome.repeats is False:
        lines += page.field("note", ONLY_BESIDE_OTHERS)
    lines += page.field("case", place(group))
    if group.others:
        lines += page.field("also", _also(group.others))
    lines += _wire(group, page)
    return "\n".join(lines + rerun_line(group))


def title(group: Group) -> str:
    """The level, the requirement and what it demands."""
    return (
        f"{WORDS[group.level]}  {group.requirement.id} {group.requirement.level.upper()}  {group.requirement.sentence}"
    )


def note_on_level(group: Group) -> str:
    """Why a finding counts less than its requirement; empty where it does not."""
    requirement, level = group.requirement, group.level.upper()
    if group.level == requirement.level:
        return ""
    if group.case_level == requirement.level:
        return f"a {requirement.level.upper()}, broken in a way that counts as a {level}: the harm is smaller"
    return (
        f"a {requirement.level.upper()}, seen broken in a case about a {group.case_level.upper()} ({', '.join(group.outcome.case.requirements)}). "
        f"Such a case may demand more than servers owe, so it counts as a {level}"
    )


def place(group: Group) -> str:
    """Where the case of a finding is written, and what it is called."""
    case = group.outcome.case
    return f'{group.finding.at or case.at}  "{case.name}" [{case.dialect}]'


def rerun_line(group: Group) -> list[str]:
    """The command that shows the finding again, in one line, to be copied."""
    return [f"  rerun    {group.outcome.rerun}"] if group.outcome.rerun else []


@dataclass(frozen=True, slots=True)
class Page:
    """Breaks texts into lines. Below `NARROW` characters the name of a field has a line of its own."""

    width: int | None = None

    def paragraph(self, text: str, indent: str) -> list[str]:
        return self._wrapped(printable(text), self.width or WIDTH, indent)

    def field(self, name: str, text: str) -> list[str]:
        width = self.width or WIDTH
        if width < NARROW:
            return [f"  {name}", *(f"    {line}" for line in self._wrapped(printable(text), width - 4))]
        body = self._wrapped(printable(text), width - 11)
        return [f"  {name:<8} {body[0]}", *(f"           {line}" for line in body[1:])]

    def line(self, text: str) -> list[str]:
        """A line that a file has as it is."""
        text = " ".join(printable(text).splitlines())
        if self.width is None or len(text) <= self.width:
            return [text]
        start = text[: len(text) - len(text.lstrip())]
        return [start + line for line in self._wrapped(text.strip(), self.width - len(start), "  ")]

    def _wrapped(self, text: str, width: int, indent: str = "") -> list[str]:
        wrapped = textwrap.wrap(
            text,
            max(width, LEAST),
            subsequent_indent=indent,
            break_long_words=self.width is not None,  # JSON has no spaces
            break_on_hyphens=False,
        )
        return wrapped or [""]


def _also(others: Sequence[Outcome]) -> str:
    names = [f'"{other.case.name}" [{other.case.dialect}]' for other in others[:LISTED]]
    more = len(others) - len(names)
    return f"{len(others)} more: " + ", ".join(names) + (f" and {more} more" if more else "")


def _wire(group: Group, page: Page) -> list[str]:
    trace = group.outcome.trace
    if trace is None:
        return []
    lines = wire_lines(group.finding, trace.exchanges)
    if page.width is not None and page.width < NARROW:
        return ["  wire", *(part for line in lines for part in page.line(f"    {line.lstrip()}"))]
    named = [f"  {'wire' if n == 0 else '':<8} {line}" for n, line in enumerate(lines)]
    return [part for line in named for part in page.line(line)]
