"""What the viewer of one case reads: its findings, the members that they accuse, and every exchange."""

from collections.abc import Mapping
from dataclasses import replace

import orjson

from rollout_conformance.steps.engine.excerpt import Clues, Path, accused
from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.engine.report_file import Broken, Exchange, Result, TracedExchange, TraceLine

SHORT = 300_000  # characters of a body in which a member is looked for


def case_data(n: int, result: Result) -> dict[str, JSON]:
    """The data of case number `n` of a report."""
    trace = result.trace or rebuilt(result)
    by_number = {exchange["n"]: exchange for exchange in trace.exchanges}
    return {
        "n": n,
        "verdict": result.verdict,
        "reason": result.reason,
        "seconds": result.seconds,
        "requirements": [[one.id, one.level, one.verdict] for one in result.requirements],
        "findings": [_finding(finding, by_number) for finding in result.findings],
        "trace": trace.model_dump(),
        "whole": result.trace is not None,
    }


def _finding(finding: Broken, exchanges: Mapping[int, TracedExchange]) -> dict[str, JSON]:
    clues = Clues.of(finding.expected, finding.observed)
    numbers = [exchange.n for exchange in finding.exchanges]
    return {
        **finding.model_dump(exclude={"exchanges"}),
        "exchanges": numbers,
        "accused": {str(n): _accused(exchanges[n], clues) for n in numbers if n in exchanges},
    }


def _accused(exchange: TracedExchange, clues: Clues) -> dict[str, list[Path]]:
    bodies = {"request": exchange["body"], "response": exchange["response"]["body"] if "response" in exchange else ""}
    return {side: _paths(body, clues) for side, body in bodies.items()}


def _paths(body: str, clues: Clues) -> list[Path]:
    if not body.startswith(("{", "[")) or len(body) > SHORT:
        return []
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:  # it was cut, or is not JSON
        return []
    there = tuple(path for path in clues.paths if not isinstance(path[0], str) or f'"{path[0]}"' in body)
    return accused(value, replace(clues, paths=there)) if isinstance(value, dict | list) else []


def rebuilt(result: Result) -> TraceLine:
    """The trace of a result line that has none: the exchanges that its findings name."""
    found = {exchange.n: exchange for finding in result.findings for exchange in finding.exchanges}
    return TraceLine(exchanges=[_traced(found[n]) for n in sorted(found)])


def _traced(exchange: Exchange) -> TracedExchange:
    traced: TracedExchange = {
        "n": exchange.n,
        "to_target": exchange.direction == "to target",
        "part": "",
        "began": exchange.at or 0.0,
        "ended": None,
        "method": exchange.method,
        "path": exchange.path,
        "headers": [],
        "body": exchange.request_body,
    }
    if exchange.fault is not None:
        traced["fault"] = exchange.fault
    if exchange.status is not None:
        traced["response"] = {"status": exchange.status, "headers": [], "body": exchange.response_body or ""}
    return traced
