"""Reports of parts of a run joined to one: of shards, of dialects, or of profiles of cases that were played one after the other.

Lines are copied as they are, one at a time: a report may be larger than the memory.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from rollout_conformance.steps.engine import report_file
from rollout_conformance.steps.engine.findings import SuiteError, Verdict
from rollout_conformance.steps.engine.report_file import Header, Report

SAME = ("format", "suite", "profile", "tokenizer", "nulls")  # members of the header that the parts have in common
COUNTS = ("planned", "executed", "skipped", "not_run")


def merge(files: Sequence[Path], output: Path, same: Sequence[str] = SAME) -> Mapping[str, object]:
    """Write the report of all parts to `output`; gives its footer. Raises `SuiteError` for parts that do not belong together: that share a
    case, or whose headers differ in one of the members `same`."""
    if output.exists() and any(output.samefile(file) for file in files):
        raise SuiteError(f"-o {output}: is one of the reports; write another name")
    parts = [report_file.read(file) for file in files]
    for part in parts[1:]:
        _belongs(parts[0], part, same)
    _disjoint(parts)
    footer = _footer(parts)
    with output.open("w", encoding="utf-8", newline="\n") as stream, ExitStack() as stack:
        opened = [stack.enter_context(part.file.open(encoding="utf-8", newline="\n")) for part in parts]
        headers = [json.loads(one.readline()) for one in opened]
        _write(stream, _header(headers))
        for one in opened:
            stream.writelines(_inner(one))
        _write(stream, footer)
    return footer


def _belongs(first: Report, other: Report, same: Iterable[str]) -> None:
    for name in same:
        known, found = getattr(first.header, name), getattr(other.header, name)
        if known != found:
            raise SuiteError(
                f"{other.file}: has {name} {found!r}, and {first.file} {known!r}; join the parts of one run"
            )


def _disjoint(parts: Iterable[Report]) -> None:
    seen: dict[str, Path] = {}
    for part in parts:
        for result in part.results():
            other = seen.setdefault(result.case, part.file)
            if other != part.file:
                raise SuiteError(
                    f"{part.file}: the case {result.case!r} is in {other} too; join parts that share no case"
                )


def _header(headers: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    """That of the part that started first, with the dialects and targets of all."""
    first = min(headers, key=lambda header: str(header.get("started")))
    dialects = dict.fromkeys(name for header in headers for name in Header.model_validate(header).dialects)
    targets = dict.fromkeys(str(header.get("target")) for header in headers)
    return {**first, "dialects": list(dialects), "target": ", ".join(targets), "parts": len(headers)}


def _inner(lines: Iterable[str]) -> Iterator[str]:
    """The lines between header and footer."""
    for line in lines:
        if json.loads(line).get("type") != "footer":
            yield line if line.endswith("\n") else f"{line}\n"


def _footer(parts: Sequence[Report]) -> Mapping[str, object]:
    footers = [part.footer for part in parts if part.footer is not None]
    verdicts: Counter[str] = Counter()
    worst: dict[str, Verdict] = {}
    for part in parts:
        verdicts.update(part.footer.verdicts if part.footer else {})
        for name, (_, verdict) in part.worst.items():
            worst[name] = _worse(verdict, worst.get(name))
    ended_by = next((footer.ended_by for footer in footers if footer.ended_by), None)
    return {
        "type": "footer",
        **{name: sum(getattr(footer, name) for footer in footers) for name in COUNTS},
        "verdicts": dict(verdicts),
        "requirements": dict(Counter(worst.values())),
        "aborted": any(part.aborted is not None for part in parts),
        "ended_by": ended_by,
    }


def _worse(verdict: Verdict, known: Verdict | None) -> Verdict:
    return verdict if known is None else min(verdict, known, key=report_file.WORST_FIRST.index)


def _write(stream: IO[str], line: Mapping[str, object]) -> None:
    stream.write(json.dumps(line, ensure_ascii=False) + "\n")
