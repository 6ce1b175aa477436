"""The end of a run on a terminal: the verdict, what is broken with the most likely first cause on top, the evidence, the counts, the verdict.

A pipe or a file gets the same lines without colour and at a fixed width.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from rollout_conformance.steps import trainers
from rollout_conformance.steps.engine.causes import Cause
from rollout_conformance.steps.engine.failure_report import (
    WORDS,
    Group,
    Page,
    finding_block,
    note_on_level,
    place,
    rerun_line,
    title,
)
from rollout_conformance.steps.engine.run_summary import lines_of_counts, plural, slowest
from rollout_conformance.steps.outputs.facts import RunFacts, printable

COLOURS = {"must": "red", "should": "yellow", "may": "cyan"}
LABEL = re.compile(r"^  (why|expected|observed|note|state|case|also|wire|rerun|after|and)\b")
WITH_LINKS = ("VTE_VERSION", "WT_SESSION", "KITTY_WINDOW_ID", "DOMTERM", "KONSOLE_VERSION")
PROGRAMS_WITH_LINKS = {"iTerm.app", "vscode", "WezTerm", "ghostty", "Hyper", "rio", "Tabby"}
SHAPES = 3  # ways in which one requirement is broken that are listed below its block
LISTED = 12  # requirements that were not judged


@dataclass(frozen=True, slots=True)
class Screen:
    """What can be shown. `width` is None where the output is no terminal."""

    width: int | None = None
    colour: bool = False
    links: bool = False

    @classmethod
    def of(cls, terminal: bool, environment: Mapping[str, str]) -> "Screen":
        """NO_COLOR (https://no-color.org) wins over FORCE_COLOR; a dumb terminal has neither colours nor links."""
        dumb = environment.get("TERM") == "dumb"
        colour = not environment.get("NO_COLOR") and (bool(environment.get("FORCE_COLOR")) or (terminal and not dumb))
        named = environment.get("TERM_PROGRAM") in PROGRAMS_WITH_LINKS
        links = terminal and not dumb and (named or any(environment.get(name) for name in WITH_LINKS))
        return cls(shutil.get_terminal_size().columns if terminal else None, colour, links)

    def echo(self, text: str = "") -> None:
        click.echo(text, color=self.colour or self.links)

    def painted(self, text: str, **style: object) -> str:
        return click.style(text, **style) if self.colour else text  # type: ignore[arg-type]


def screen() -> Screen:
    return Screen.of(sys.stdout.isatty(), os.environ)


def show(facts: RunFacts, most_slow: int, on: Screen) -> None:
    """Print it all."""
    causes = facts.causes
    if causes:
        on.echo(_verdict(facts, on) + "\n")
    if len(causes) > 1:
        for cause in causes:
            for line in _row(cause, on):
                on.echo(line)
        on.echo()
    for cause in causes:
        on.echo(_painted(printable(block(cause, on.width)), cause.level, on, cause.groups[0]) + "\n")
    not_played = [f"  {line}" for line in facts.not_played]
    counted = (*lines_of_counts(facts.outcomes), *not_played, *unjudged(facts), *facts.not_judged)
    for line in (*slowest(facts.outcomes, most_slow), *counted):
        for part in Page(on.width).line(printable(line)):
            on.echo(part)
    about = {name for outcome in facts.outcomes for name in outcome.case.requirements}
    for line in trainers.lines(facts.profile, facts.verdicts, about):
        for part in Page(on.width).line(line):
            on.echo(part)
    for one in facts.stale:
        on.echo(f"BASELINE  {printable(str(one))}")
    on.echo("\n" + _verdict(facts, on))


def block(cause: Cause, width: int | None) -> str:
    """One cause. What follows from another one is shown in short; the report has all of it."""
    first, *others = cause.groups
    page = Page(width)
    note = note_on_level(first)
    if cause.after is None:
        whole = finding_block(first, width).splitlines()
        lines, rerun = (whole[:-1], whole[-1:]) if rerun_line(first) else (whole, [])
    else:
        lines = page.paragraph(title(first), "      ")
        lines += page.field(
            "after", f"{cause.after}, which {_all(cause.cases)} as well, earlier or in the same exchange"
        )
        lines += page.field("note", note) if note else []
        lines += page.field("expected", first.finding.expected) + page.field("observed", first.finding.observed)
        lines += page.field("case", place(first))
        rerun = rerun_line(first)
    for other in others[:SHAPES]:
        cases = plural(1 + len(other.others), "case")
        lines += page.field("and", f"in {cases}: expected {other.finding.expected}; observed {other.finding.observed}")
    if len(others) > SHAPES:
        lines += page.field("and", f"{len(others) - SHAPES} more ways, which the report has")
    return "\n".join([*lines, *rerun])


def _all(cases: int) -> str:
    return "its case breaks" if cases == 1 else f"all {cases} cases break"


def _row(cause: Cause, on: Screen) -> Iterator[str]:
    """The line of a cause in the list at the top: what it demands, and in how many cases it is broken."""
    word = f"{WORDS[cause.level]}  "
    counted = plural(cause.cases, "case") + (f", after {cause.after}" if cause.after else "")
    if cause.level != cause.requirement.level:
        counted += f", counts as a {cause.level.upper()} there"
    text = f"{word}{cause.requirement.id} {cause.requirement.level.upper()}  ({counted})  {cause.requirement.sentence}"
    first, *more = Page(on.width).paragraph(text, "      ")
    yield on.painted(word.rstrip(), fg=COLOURS[cause.level], bold=True) + first[len(word.rstrip()) :]
    yield from more


def unjudged(facts: RunFacts) -> list[str]:
    """The MUSTs that the cases of this run are about and none of them judged."""
    about = {name for outcome in facts.outcomes for name in outcome.case.requirements if name in facts.catalogue}
    spoken = facts.judged | {one.requirement for outcome in facts.outcomes for one in outcome.judgement.findings}
    silent = sorted(name for name in about - spoken if facts.catalogue[name].level == "must")
    if not silent:
        return []
    more = f" and {len(silent) - LISTED} more" if len(silent) > LISTED else ""
    return [f"  not judged, and a MUST: {', '.join(silent[:LISTED])}{more}"]


def _verdict(facts: RunFacts, on: Screen) -> str:
    colour = "red" if facts.broken else "yellow" if facts.stale or facts.ended or facts.known else "green"
    told = printable(facts.sentence)
    lines = [told] if on.width is None else Page(on.width).paragraph(told, "")
    return "\n".join(on.painted(line, fg=colour, bold=True) for line in lines)


def _painted(text: str, level: str, on: Screen, group: Group) -> str:
    if on.links:
        text = _linked(text, group)
    if not on.colour:
        return text
    word, rest = text[:4], text[4:]
    lines = [LABEL.sub(lambda found: f"  {click.style(found[1], dim=True)}", line) for line in rest.split("\n")]
    return click.style(word, fg=COLOURS[level], bold=True) + "\n".join(lines)


def _linked(text: str, group: Group) -> str:
    """The place of the case as a hyperlink (OSC 8) to its file, where that exists."""
    at = group.finding.at or group.outcome.case.at
    file = Path(at.file).absolute()
    if not file.is_file():
        return text
    return text.replace(str(at), f"\x1b]8;;{file.as_uri()}\x1b\\{at}\x1b]8;;\x1b\\", 1)
