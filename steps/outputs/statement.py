"""The statement of conformance: what each target keeps and breaks, by requirement and dialect, bound to the reports by their SHA-256.

The statement can be made again from the reports: it holds nothing else, and no time of its own.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rollout_conformance.steps.engine.findings import BROKEN, LEVELS, Verdict
from rollout_conformance.steps.engine.report_file import WORST_FIRST
from rollout_conformance.steps.engine.run_summary import plural
from rollout_conformance.steps.outputs.markdown import plain
from rollout_conformance.steps.outputs.runs import PastRun, told_apart

KIND, FORMAT = "rollout-conformance statement", 1
WORDS = {Verdict.PASS: "kept", Verdict.ERROR: "not judged", Verdict.INCONCLUSIVE: "not judged", Verdict.SKIP: "skipped"}
BROKEN_WORD = "broken"


def made(runs: Sequence[PastRun]) -> dict[str, Any]:
    return {"kind": KIND, "format": FORMAT, "targets": [_target(run) for run in runs]}


def _target(run: PastRun) -> dict[str, Any]:
    requirements = {
        name: {"level": run.levels[name], "dialects": {d: word(v) for d, v in sorted(found.items())}}
        for name, found in sorted(run.requirements.items())
    }
    return {
        "target": run.header.target,
        "profile": run.header.profile,
        "dialects": run.header.dialects,
        "suite": run.header.suite,
        "tokenizer": run.header.tokenizer,
        "nulls": run.header.nulls,
        "started": run.header.started,
        "report": {"file": run.file.name, "sha256": digest(run.file)},
        "evidence": run.aborted is None,
        "levels": {level: _count(run, level) for level in LEVELS},
        "requirements": requirements,
    }


def _count(run: PastRun, level: str) -> dict[str, int]:
    """How many requirements of a level are kept in all dialects that were judged, broken in one, and judged in none."""
    of = {name for name, one in run.levels.items() if one == level}
    kept, broken = len(of & run.kept), len(of & run.broken)
    return {"kept": kept, "broken": broken, "not judged": len(of) - kept - broken}


def word(verdict: Verdict) -> str:
    return BROKEN_WORD if verdict in BROKEN else WORDS[verdict]


def digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def differences(statement: object, runs: Sequence[PastRun]) -> list[str]:
    """Where a statement differs from what these reports say. Empty when it is theirs."""
    if not isinstance(statement, dict) or statement.get("kind") != KIND or statement.get("format") != FORMAT:
        return [f"it is no {KIND} of format {FORMAT}"]
    found: list[str] = []
    listed = statement.get("targets")
    said = {_hash(one): one for one in listed} if isinstance(listed, list) else {}
    for run in runs:
        right = _target(run)
        mine = said.pop(right["report"]["sha256"], None)
        if mine is None:
            found.append(f"{run.file}: its SHA-256 is not in the statement")
        else:
            found += [f"{run.file}: {key} differs" for key in right if key != "report" and mine.get(key) != right[key]]
    return found + [f"the report {one} was not given" for one in said if one]


def _hash(target: object) -> str:
    report = target.get("report") if isinstance(target, dict) else None
    return str(report.get("sha256", "")) if isinstance(report, dict) else ""


def table(runs: Sequence[PastRun]) -> Iterator[str]:
    """The targets side by side, in Markdown: what is broken somewhere, and what is kept by all as a number."""
    names = told_apart([(run.header.target, run.file.name) for run in runs])
    yield "| | " + " | ".join(map(plain, names)) + " |"
    yield "| --- |" + " --- |" * len(runs)
    for level in LEVELS:
        yield f"| {level.upper()} | " + " | ".join(_counted(run, level) for run in runs) + " |"
    for name in sorted(set().union(*(run.broken for run in runs))):
        yield f"| {name} | " + " | ".join(_cell(run, name) for run in runs) + " |"
    silent = [(name, run.aborted) for name, run in zip(names, runs, strict=True) if run.aborted]
    yield from ("", *(f"{plain(name)}: no evidence, {why}" for name, why in silent)) if silent else ()


def _counted(run: PastRun, level: str) -> str:
    return ", ".join(f"{count} {what}" for what, count in _count(run, level).items() if count)


def _cell(run: PastRun, name: str) -> str:
    """The dialects in which a requirement is broken; one word where all agree."""
    found = run.requirements.get(name, {})
    words = {word(verdict) for verdict in found.values()}
    if len(words) < 2:
        return next(iter(words), "not judged")
    broken = [dialect for dialect, verdict in sorted(found.items()) if verdict in BROKEN]
    worst = min(found.values(), key=WORST_FIRST.index)
    return f"broken ({', '.join(broken)})" if broken else word(worst)


def sentences(runs: Sequence[PastRun]) -> Iterator[str]:
    """One line a target, for the terminal."""
    names = told_apart([(run.header.target, run.file.name) for run in runs])
    return (_sentence(name, run) for name, run in zip(names, runs, strict=True))


def _sentence(name: str, run: PastRun) -> str:
    counts = _count(run, "must")
    total = sum(counts.values())
    state = "no evidence" if run.aborted else "broken" if counts["broken"] else "kept"
    judged = (
        f"of {plural(total, 'MUST')} that this run was about {_counted(run, 'must')}" if total else "no MUST was judged"
    )
    return f"{name}  {state}: {judged}"
