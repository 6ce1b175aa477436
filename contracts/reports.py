"""The register of public bug reports: what was seen in servers that others wrote, and what shows that the suite would find it.

Reads the reports.yaml of a profile into frozen values and rejects an invalid register, with the line of each mistake. It knows no profile and judges
nothing. Whether the requirement, the mutant and the case that an entry names exist is checked by the command `lint`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from rollout_conformance.contracts import text_yaml
from rollout_conformance.contracts.text_yaml import Strict, Text

REFERENCE = r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+#[1-9][0-9]*$"


class RegisterError(ValueError):
    """An invalid register. The text names the line of every invalid entry and what to write instead."""


@dataclass(frozen=True, slots=True)
class BugReport:
    """One defect that was reported in public, by one or several people. `at` is the file and the line of the entry."""

    references: tuple[str, ...]
    seen: str
    symptom: str
    requirement: str
    mutant: str | None
    case: str | None
    dialects: tuple[str, ...]
    at: str


def load(path: Path) -> tuple[BugReport, ...]:
    """The entries in `path`, in the order of the file; none where there is no file. Raises `RegisterError` for an invalid one."""
    if not path.is_file():
        return ()
    text = path.read_text(encoding="utf-8")
    try:
        raw = text_yaml.parsed(text)
        register = _Register.model_validate(raw)
    except yaml.MarkedYAMLError as broken:
        where = f"{path}:{broken.problem_mark.line + 1}" if broken.problem_mark else str(path)
        raise RegisterError(f"{where}: {broken.problem}") from None
    except ValidationError as wrong:
        raise RegisterError("\n".join(_explained(wrong, path, _lines(text)))) from None
    reports = tuple(entry.frozen(f"{path}:{line}") for entry, line in zip(register.reports, _lines(text), strict=True))
    if problems := [*_problems(reports)]:
        raise RegisterError("\n".join(problems))
    return reports


def cited(reports: Iterable[BugReport]) -> list[str]:
    """The references of these entries, each once."""
    return list(dict.fromkeys(reference for report in reports for reference in report.references))


Reference = Annotated[str, Field(pattern=REFERENCE)]


class _Entry(Strict):
    report: Annotated[tuple[Reference, ...], Field(min_length=1)]
    seen: Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
    symptom: Text
    requirement: Annotated[str, Field(pattern=r"^[A-Z]+-[0-9]{3}$")]
    mutant: Text | None = None
    case: Text | None = None
    dialects: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None

    def frozen(self, at: str) -> BugReport:
        return BugReport(
            references=self.report,
            seen=self.seen,
            symptom=" ".join(self.symptom.split()),
            requirement=self.requirement,
            mutant=self.mutant,
            case=self.case,
            dialects=self.dialects or (),
            at=at,
        )


class _Register(Strict):
    profile: Text
    reports: Annotated[list[_Entry], Field(min_length=1)]


def _problems(reports: Iterable[BugReport]) -> Iterator[str]:
    seen: dict[tuple[str, str], BugReport] = {}
    for report in reports:
        if (report.mutant is None) == (report.case is None):
            saw = "neither" if report.mutant is None else "both"
            yield f"{report.at}: saw {saw} of mutant and case; write one of them"
        for reference in report.references:
            other = seen.setdefault((reference, report.requirement), report)
            if other is not report or report.references.count(reference) > 1:
                yield f"{report.at}: {reference} is registered for {report.requirement} already, at {other.at}; write it once"


def _lines(text: str) -> list[int]:
    """The line of each entry."""
    root = yaml.compose(text, Loader=yaml.CBaseLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else ()
    entries = next((value for key, value in pairs if key.value == "reports"), None)
    return [one.start_mark.line + 1 for one in entries.value] if isinstance(entries, yaml.SequenceNode) else []


_SAW = {"missing": "nothing", "extra_forbidden": "a key that does not exist"}
_WRITE = {
    "missing": "it, the key is required",
    "extra_forbidden": f"one of {', '.join(_Entry.model_fields)}",
    "string_too_short": "some text",
    "too_short": "at least one item",
    "tuple_type": "a list",
}
_PATTERNS = {
    "report": "a public reference, such as vllm-project/vllm#53269",
    "seen": "a year and a month, such as 2026-11",
    "requirement": "the id of a requirement, such as CHAT-038",
}


def _explained(wrong: ValidationError, path: Path, lines: list[int]) -> Iterator[str]:
    """One line per pydantic error: the line of the entry, the key, the value in the file, and what to write instead."""
    for error in wrong.errors():
        match error["loc"]:
            case ("reports", int(number), *rest):
                where = f"{path}:{lines[number]}"
            case rest:
                where = str(path)
        key, kind = ".".join(map(str, rest)) or "the file", error["type"]
        pattern = _PATTERNS.get(str(rest[0])) if kind == "string_pattern_mismatch" and rest else None
        yield f"{where}: {key}: saw {_SAW.get(kind, repr(error['input']))}; write {pattern or _WRITE.get(kind, error['msg'])}"
