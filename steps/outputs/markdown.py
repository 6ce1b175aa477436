"""A summary of a run in Markdown, as GitHub shows it beside a job: the verdict, what is broken, and what proves it."""

import re
from collections.abc import Iterator

from rollout_conformance.steps.engine.causes import Cause
from rollout_conformance.steps.engine.failure_report import WORDS, Group, finding_block
from rollout_conformance.steps.engine.run_summary import lines_of_counts
from rollout_conformance.steps.outputs.facts import RunFacts, printable

MOST_BLOCKS = 20  # findings that are shown in full
LONGEST_BLOCK = 20_000  # characters; GitHub takes a summary of 1 MiB
SPECIAL = re.compile(r"([\\`*_\[\]|~#])")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: str) -> str:
    """A text of which Markdown makes nothing else, on one line."""
    text = re.sub(r"[&<>]", lambda found: ENTITIES[found[0]], " ".join(printable(text).split()))
    return SPECIAL.sub(r"\\\1", text).replace("@", "&#64;")  # no one is notified


def render(facts: RunFacts) -> str:
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: RunFacts) -> Iterator[str]:
    yield f"## {facts.profile} conformance of {plain(facts.target)}"
    yield ""
    yield f"**{plain(facts.sentence)}**"
    yield ""
    if facts.ended:
        yield f"Ended early by {plain(facts.ended)}: this is no evidence."
        yield ""
    yield from (f"- {plain(line)}" for line in lines_of_counts(facts.outcomes))
    yield from (f"- {plain(line.strip())}" for line in facts.not_judged)
    yield from (f"- baseline: {plain(str(one))}" for one in facts.stale)
    causes = facts.causes
    if causes:
        yield from ("", "| | requirement | cases | expected of the target |", "| --- | --- | --- | --- |")
        yield from map(_row, causes[:MOST_BLOCKS])
        yield from (block for cause in causes[:MOST_BLOCKS] for block in _details(cause.groups[0]))
    if len(causes) > MOST_BLOCKS:
        yield from ("", f"and {len(causes) - MOST_BLOCKS} more, which the report has.")


def _row(cause: Cause) -> str:
    one = cause.requirement
    cases = f"{cause.cases}, after {cause.after}" if cause.after else f"{cause.cases}"
    return f"| {WORDS[cause.level]} | {one.id} {one.level.upper()} | {cases} | {plain(one.sentence)} |"


def _details(group: Group) -> Iterator[str]:
    block = printable(finding_block(group))[:LONGEST_BLOCK]
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block)), default=0))
    yield from ("", f"<details><summary>{group.requirement.id}: {plain(group.outcome.case.name)}</summary>", "")
    yield from (f"{fence}text", block, fence, "", "</details>")
