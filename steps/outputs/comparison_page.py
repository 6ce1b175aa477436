"""Reports and statements of several targets, as one HTML page."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.json_text import NotJson, parse
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.engine.verb_parsing import plain
from rollout_conformance.steps.outputs import statement
from rollout_conformance.steps.outputs.runs import load, told_apart
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.report_page.comparison import Compared, render

LARGEST = 64 << 20  # bytes of a statement
Word = Annotated[str, StringConstraints(max_length=80)]


class _Requirement(BaseModel):
    model_config = ConfigDict(frozen=True)
    level: Word
    dialects: dict[Word, Word]


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True)
    file: str = ""


class _Target(BaseModel):
    """A target of a statement, as far as the page shows it."""

    model_config = ConfigDict(frozen=True)
    target: str
    profile: Word
    dialects: list[Word] = Field(default_factory=list)
    suite: str = ""
    started: str = ""
    report: _Report = _Report()
    evidence: bool
    requirements: dict[Word, _Requirement]


def page(files: Sequence[Path]) -> Iterator[str]:
    """Raises `SuiteError` for what is neither a report nor a statement, and for targets of several profiles."""
    targets = [target for file in files for target in _targets(file)]
    profiles = sorted({one.profile for one in targets})
    if len(profiles) != 1:
        raise SuiteError(f"these targets are of different profiles ({', '.join(profiles)}); compare those of one.")
    catalogue = PROFILES[profiles[0]].catalogue if profiles[0] in PROFILES else {}
    names = told_apart([(one.target, one.report.file) for one in targets])
    return render(
        profiles[0],
        [_compared(n, name, one) for n, (name, one) in enumerate(zip(names, targets, strict=True))],
        catalogue,
    )


def is_statement(file: Path) -> bool:
    """Whether a file is meant as a statement, and not as a report."""
    return file.suffix == ".json"


def _targets(file: Path) -> list[_Target]:
    if not is_statement(file):
        made = statement.made([load(file)])
        return [_Target.model_validate(one) for one in made["targets"]]
    value = _read(file)
    listed = value.get("targets") if isinstance(value, dict) and value.get("kind") == statement.KIND else None
    if not isinstance(listed, list) or not listed:
        raise SuiteError(f"{file}: is no statement: `rollout-conformance statement REPORTS -o {file.name}` writes one.")
    try:
        return [_Target.model_validate(one) for one in listed]
    except ValidationError as error:
        raise SuiteError(f"{file}: is no statement: {printable(plain(error))}") from None


def _read(file: Path) -> Any:
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise SuiteError(f"{file}: cannot be read: {error.strerror}") from error
    if len(data) > LARGEST:
        raise SuiteError(f"{file}: is larger than {LARGEST >> 20} MiB, which is no statement")
    value = parse(data)
    if isinstance(value, NotJson):
        raise SuiteError(f"{file}: is no statement: {value.why}")
    return value


def _compared(number: int, name: str, one: _Target) -> Compared:
    levels = {name: found.level for name, found in one.requirements.items()}
    words = {name: found.dialects for name, found in one.requirements.items()}
    return Compared(
        number=number,
        name=name,
        dialects=one.dialects,
        suite=one.suite,
        started=one.started,
        report=one.report.file,
        evidence=one.evidence,
        levels=levels,
        words=words,
    )
