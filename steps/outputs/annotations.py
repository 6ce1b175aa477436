"""Annotations of GitHub Actions: workflow commands in the log, which GitHub shows at a job and in the files that they name."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rollout_conformance.steps.engine.causes import Cause
from rollout_conformance.steps.engine.failure_report import note_on_level
from rollout_conformance.steps.engine.findings import Location, Verdict
from rollout_conformance.steps.outputs.facts import RunFacts, printable

COMMANDS = {"must": "error", "should": "warning", "may": "notice"}
MOST = 10  # of each kind, which GitHub shows of a step
DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
PROPERTY = DATA | {":": "%3A", ",": "%2C"}


def lines(facts: RunFacts, folder: Path) -> Iterator[str]:
    """One line a requirement that is broken; the place of its case is named where that is a file below `folder`, the checkout."""
    seen: Counter[str] = Counter()
    for command, place, title, text in _annotations(facts, folder):
        seen[command] += 1
        if seen[command] <= MOST:
            yield f"::{command} {place}title={_escaped(title, PROPERTY)}::{_escaped(text, DATA)}"


def _annotations(facts: RunFacts, folder: Path) -> Iterator[tuple[str, str, str, str]]:
    for cause in facts.causes:
        one, group = cause.requirement, cause.groups[0]
        yield (
            COMMANDS[cause.level],
            _place(group.finding.at or group.outcome.case.at, folder),
            f"{one.id} {one.level.upper()}",
            _text(cause),
        )
    for outcome in facts.outcomes:
        if outcome.judgement.verdict is Verdict.ERROR:
            yield "error", "", "could not judge", f"{outcome.case.at} {outcome.case.name}: {outcome.judgement.reason}"
    for entry in facts.stale:
        yield "error", _place(entry.at, folder) if entry.at else "", "baseline", str(entry)


def _text(cause: Cause) -> str:
    group = cause.groups[0]
    finding, case = group.finding, group.outcome.case
    return "\n".join(
        [
            " ".join(cause.requirement.sentence.split()),
            *([f"note {note}"] if (note := note_on_level(group)) else []),
            f"expected {finding.expected}",
            f"observed {finding.observed}",
            f'case {finding.at or case.at} "{case.name}" [{case.dialect}], {cause.cases} in all',
            f"rerun {group.outcome.rerun}",
        ]
    )


def _place(at: Location, folder: Path) -> str:
    """A file is named from where the run was started, which may be a folder of the checkout; one of the suite from the folder of that."""
    checkout = folder.resolve()
    for file in (Path(at.file).resolve(), (checkout / at.file).resolve()):
        if file.is_relative_to(checkout) and file.is_file():
            return f"file={_escaped(file.relative_to(checkout).as_posix(), PROPERTY)},line={at.line},"
    return ""


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in printable(text))
