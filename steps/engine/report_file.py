"""A report that is read back: line by line, each checked, however large the file is.

A run that was aborted is read as far as it came, and says so: it is no evidence, but it is what one needs to see why.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, NotRequired

import orjson
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from rollout_conformance.steps.engine.findings import SuiteError, Verdict
from rollout_conformance.steps.engine.json_text import NotJson, parse

COMPARISON = "divergence"  # what the header of a comparison of two backends calls it
LONGEST_LINE = 32 << 20  # bytes; one case has one line, and of its bodies only the beginnings
WORST_FIRST = (Verdict.FAIL, Verdict.IGNORED, Verdict.ERROR, Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.SKIP)


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True)


class Header(_Line):
    type: Literal["header"]
    format: Literal[1, 2] = 1
    profile: str = "unknown"
    target: str = "unknown"
    started: str = "unknown"
    suite: str = "unknown"
    dialects: list[str] = []
    tokenizer: str | None = "unknown"
    nulls: str = "unknown"
    level: Literal["must", "should", "may"] = "must"
    card: str | None = None
    backend: str = "scripted"
    jobs: int | None = None
    model: str | None = None
    environment: dict[str, str] = {}


class CaseLine(_Line):
    type: Literal["case"]
    id: str = ""
    name: str = ""
    dialect: str = ""
    at: str = ""
    requirements: list[str] = []


class Coverage(_Line):
    type: Literal["coverage"]


class SoakInterval(_Line):
    """Part of a soak from `at_s` seconds on; None for what was not measured."""

    at_s: float
    plays: int
    failures: int
    p50_ms: float | None = None
    p99_ms: float | None = None
    memory_mib: float | None = None
    open_files: int | None = None


class RequestClass(_Line):
    name: str
    count: int
    p50_ms: float
    p99_ms: float
    longest_ms: float


class SoakLine(_Line):
    """What a soak measured: `turns` are the requests that the target made."""

    type: Literal["soak"]
    seconds: float
    interval_s: float
    cases: int
    plays: int
    failures: int
    turns: int
    not_begun: int = 0
    rate: float | None = None
    seed: int = 0
    classes: list[RequestClass] = []
    intervals: list[SoakInterval] = []


class Exchange(_Line):
    n: int
    direction: str
    method: str
    path: str
    at: float = 0.0
    status: int | None
    fault: str | None
    request_body: str
    response_body: str | None


class Broken(_Line):
    """A finding."""

    requirement: str
    level: str
    expected: str = Field(validation_alias=AliasChoices("expected", "said"))  # `said` and `saw` in format 1
    observed: str = Field(validation_alias=AliasChoices("observed", "saw"))
    at: str
    rerun: str
    exchanges: list[Exchange]
    reports: list[str] = []  # public reports of the same requirement
    state: str | None = None
    strict_only: bool = False
    known: str | bool | None = None  # why the baseline lists it
    hint: str = ""  # what a card declares for which this is right


class TracedResponse(TypedDict):
    status: int
    headers: list[tuple[str, str]]
    body: str


class TracedExchange(TypedDict):
    """An exchange with all that is kept of it; times in seconds since its case began."""

    n: int
    to_target: bool
    part: str  # of the case, such as the label of what it is about; the name of a backend
    began: float
    ended: float | None
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: str
    fault: NotRequired[str]
    response: NotRequired[TracedResponse]
    pieces: NotRequired[list[tuple[float, int]]]


class TraceLine(_Line):
    """`events` are time, part of the case, role, name and exchange."""

    exchanges: list[TracedExchange] = []
    backends: list[TracedExchange] = []
    left_out: int = 0
    events: list[tuple[float, str, str, str, int]] = []


class Requirement(_Line):
    id: str
    level: str
    verdict: Verdict


class Result(_Line):
    type: Literal["result"]
    case: str
    verdict: Verdict
    reason: str
    seconds: float
    requirements: list[Requirement]
    findings: list[Broken]
    known: str | bool | None = None
    trace: TraceLine | None = None


class Footer(_Line):
    type: Literal["footer"]
    planned: int
    executed: int
    skipped: int
    not_run: int
    verdicts: dict[str, int]
    aborted: bool
    ended_by: str | None = None


Line = Header | CaseLine | Coverage | SoakLine | Result | Footer
_ANY: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="type")])


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was read once and found in order. `aborted` says why it is no evidence, where it is none; `worst` is the
    level and the verdict of each requirement."""

    file: Path
    header: Header
    footer: Footer | None
    aborted: str | None
    findings: int
    worst: dict[str, tuple[str, Verdict]] = field(default_factory=dict)

    def lines(self) -> Iterator[Line]:
        """Every line, read again from the file: they are too many to be held at once."""
        return _lines(self.file, _again)

    def results(self) -> Iterator[Result]:
        """One result a case, read again from the file."""
        return (line for line in self.lines() if isinstance(line, Result))

    def offsets(self) -> dict[str, int]:
        """Where in the file the result of each case begins, for `result_at`."""
        found: dict[str, int] = {}
        at = 0
        with self.file.open("rb") as stream:
            while data := stream.readline(LONGEST_LINE + 1):
                if isinstance(value := parse(data), dict) and value.get("type") == "result":
                    found[str(value.get("case"))] = at
                at += len(data)
        return found


def read(file: Path) -> Report:
    """Read a report. Raises `SuiteError` for a line that is none."""
    header, footer, findings, count = None, None, 0, 0
    worst: dict[str, tuple[str, Verdict]] = {}
    for count, line in enumerate(_lines(file), 1):
        if (count == 1) != isinstance(line, Header) or footer is not None:
            what = "a report begins with a header line" if count == 1 else f"{line.type} is out of place here"
            raise SuiteError(f"{file}: line {count} is not a line of a report: {what}")
        if isinstance(line, Header):
            header = line
        elif isinstance(line, Footer):
            footer = line
        elif isinstance(line, Result):
            findings += len(line.findings)
            _note(worst, line)
    if header is None:
        raise SuiteError(f"{file}: is empty; a report begins with a header line")
    return Report(file, header, footer, _aborted(footer, count), findings, worst)


def result_at(file: Path, at: int) -> Result | None:
    """The result whose line begins at this byte; None where there is no whole one."""
    with file.open("rb") as stream:
        stream.seek(at)
        value = parse(stream.readline(LONGEST_LINE + 1))
    line = None if isinstance(value, NotJson) else _line(file, 0, value)
    return line if isinstance(line, Result) else None


def _aborted(footer: Footer | None, lines: int) -> str | None:
    if footer is None:
        return f"the run died after {lines} lines of its report, which has no footer"
    return f"the run was aborted with {footer.not_run} cases not run" if footer.aborted else None


def _note(worst: dict[str, tuple[str, Verdict]], result: Result) -> None:
    for one in result.requirements:
        known = worst.get(one.id)
        if known is None or WORST_FIRST.index(one.verdict) < WORST_FIRST.index(known[1]):
            worst[one.id] = (one.level, one.verdict)


def _again(data: bytes) -> object:
    """The value of a line that was read before: what is in it has been found to be in bounds."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return parse(data)


def _lines(file: Path, reading: Callable[[bytes], object] = parse) -> Iterator[Line]:
    try:
        with file.open("rb") as stream:
            n = 0
            while data := stream.readline(LONGEST_LINE + 1):
                n += 1
                value = reading(data) if len(data) <= LONGEST_LINE else NotJson(f"longer than {LONGEST_LINE >> 20} MiB")
                if isinstance(value, NotJson) and n > 1 and not data.endswith(b"\n") and not stream.read(1):
                    return  # the run died while it wrote this line
                yield _line(file, n, value)
    except OSError as error:
        raise SuiteError(f"{file}: cannot be read: {error.strerror}") from error


def _line(file: Path, n: int, value: object) -> Line:
    if isinstance(value, NotJson):
        why = value.why
    elif isinstance(value, dict) and value.get("report") == COMPARISON:
        raise SuiteError(
            f"{file}: is the comparison that `run --backend both` writes, and no report of a run. Beside it is a report of each run: "
            f"{file.stem}.PROFILE.live{file.suffix} and {file.stem}.PROFILE.scripted{file.suffix}."
        )
    elif not isinstance(value, dict):
        why = "it is no JSON object"
    elif "type" not in value:
        why = "it has no member `type`"
    else:
        try:
            return _ANY.validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"][1:])
            why = f"{where + ': ' if where else ''}{first['msg']}"
    raise SuiteError(f"{file}: line {n} is not a line of a report: {why}"[:600])
