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
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.wire_excerpt import wire_lines

WORDS = {"must": "FAIL", "should": "WARN", "may": "NOTE"}
WIDTH = 110
ONLY_BESIDE_OTHERS = (
    "alone, this case passes: it is broken only while other cases are in flight, which the rerun below plays as well"
)
LISTED = 5  # cases named in a block; the report has all
PLACE = "; chunk "  # what follows says where in a stream a breach is seen: no two of them are the same
# A text without its closing quote is one as well, so that no sign is read twice.
SHAPE = re.compile(r'rc-[0-9a-f]+-\d+x?|call_[\w-]+|"(?:[^"\\]++|\\.)*+"?|-?\d+(?:\.\d+)?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Group:
    """One root cause: a requirement, broken in the same way in these cases. The first is shown in full."""

    requirement: Requirement
    finding: Finding
    outcome: Outcome
    others: tuple[Outcome, ...] = ()

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
                groups[key] = Group(catalogue[finding.requirement], finding, outcome)
            elif all(
                outcome is not one for one in (known.outcome, *known.others[-1:])
            ):  # those of one outcome come in a row
                groups[key] = _joined(known, finding, outcome, catalogue)
    return sorted(groups.values(), key=lambda g: (list(WORDS).index(g.level), -len(g.others), g.requirement.id))


def _joined(known: Group, finding: Finding, outcome: Outcome, catalogue: Mapping[str, Requirement]) -> Group:
    """The group with one more case. The gravest is the one that is shown: a case about a SHOULD may have come first."""
    levels = {known.requirement.id: known.requirement.level}
    if LEVELS.index(finding.level(levels)) < LEVELS.index(known.level):
        return replace(known, finding=finding, outcome=outcome, others=(*known.others, known.outcome))
    return replace(known, others=(*known.others, outcome))


def finding_block(group: Group) -> str:
    """A finding as the terminal shows it."""
    finding, case = group.finding, group.outcome.case
    head = (
        f"{WORDS[group.level]}  {group.requirement.id} {group.requirement.level.upper()}  {group.requirement.sentence}"
    )
    lines = textwrap.wrap(head, WIDTH, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False)
    if group.requirement.why:
        lines += _field("why", group.requirement.why)
    if reported := bug_reports.short_line(group.requirement.id):
        lines += [f"  {bug_reports.SHOWN}: {reported}"]
    lines += _field("expected", finding.expected) + _field("observed", finding.observed)
    if finding.ignored:
        lines += _field("note", "accepted, and ignored: nobody is told that what was asked for has no effect")
    if finding.state:
        lines += _field("state", finding.state)
    if finding.strict_only:
        lines += _field(
            "note", "counts in the strict reading only: null is taken for absent otherwise (--nulls compat)"
        )
    if group.outcome.repeats is False:
        lines += _field("note", ONLY_BESIDE_OTHERS)
    lines += _field("case", f'{finding.at or case.at}  "{case.name}" [{case.dialect}]')
    if group.others:
        lines += _field("also", _also(group.others))
    lines += _wire(group)
    lines += [f"  rerun    {group.outcome.rerun}"] if group.outcome.rerun else []
    return "\n".join(lines)


def _field(name: str, text: str) -> list[str]:
    body = textwrap.wrap(redacted(text), WIDTH - 11, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"  {name:<8} {body[0]}", *(f"           {line}" for line in body[1:])]


def _also(others: Sequence[Outcome]) -> str:
    names = [f'"{other.case.name}" [{other.case.dialect}]' for other in others[:LISTED]]
    more = len(others) - len(names)
    return f"{len(others)} more: " + ", ".join(names) + (f" and {more} more" if more else "")


def _wire(group: Group) -> list[str]:
    trace = group.outcome.trace
    if trace is None:
        return []
    lines = wire_lines(group.finding, trace.exchanges)
    return [f"  {'wire' if n == 0 else '':<8} {line}" for n, line in enumerate(lines)]
