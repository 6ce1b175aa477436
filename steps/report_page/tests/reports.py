"""Reports for tests, line by line."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HEADER: Mapping[str, Any] = {
    "type": "header",
    "format": 2,
    "suite": "0.1.0",
    "profile": "rollout",
    "dialects": ["sync", "callback"],
    "target": "http://127.0.0.1:9000",
    "tokenizer": "none",
    "nulls": "compat",
    "level": "must",
    "started": "2026-11-28T20:00:00+00:00",
    "environment": {"python": "3.11", "commit": "abc"},
}
PROMPT, SAMPLED = [1, 2, 3], [4, 5]


def exchange(n: int, to_target: bool, path: str, body: object, answer: object, at: float) -> dict[str, Any]:
    """A traced exchange of 100 ms."""
    return {
        "n": n,
        "to_target": to_target,
        "part": "",
        "began": at,
        "ended": at + 0.1,
        "method": "POST",
        "path": path,
        "headers": [["content-type", "application/json"], ["authorization", "Bearer ***"]],
        "body": body if isinstance(body, str) else json.dumps(body),
        "response": {"status": 200, "headers": [["content-type", "application/json"]], "body": json.dumps(answer)},
    }


def generated(prompt: list[int], text: str) -> dict[str, Any]:
    """The response to a generation request."""
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    logprobs = [-0.25] * len(SAMPLED)
    return {"choices": [choice], "prompt_token_ids": prompt, "token_ids": SAMPLED, "logprobs": logprobs}


def trace(text: str = "Hello") -> dict[str, Any]:
    """A rollout of two turns, of which the second is prompted with other tokens than the first left."""
    asked = {"messages": [{"role": "user", "content": text}, {"role": "tool", "tool_call_id": None}]}
    chunks = 'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n'
    streamed = exchange(3, False, "/v1/chat/completions", asked, "", 0.6)
    streamed["response"]["body"] = chunks
    streamed["pieces"] = [[0.62, 45], [0.68, 60]]
    return {
        "exchanges": [
            exchange(0, True, "/rollout", {"rollout_id": "r"}, {"status": "COMPLETED"}, 0.0),
            exchange(1, False, "/v1/chat/completions", asked, generated(PROMPT, text), 0.2),
            exchange(2, False, "/v1/chat/completions", asked, generated([1, 2, 3, 9, 5, 6], text), 0.4),
            streamed,
            exchange(4, False, "/v1/rollout/completed", {"rollout_id": "r"}, {"status": "ok"}, 0.8),
        ],
        "left_out": 0,
        "events": [[0.2, "", "server", "GenerationRequested", 1], [0.9, "", "trainer", "CompletedAcknowledged", 4]],
    }


def finding(text: str = "null", requirement: str = "ROLLOUT-094", level: str = "must") -> dict[str, Any]:
    return {
        "requirement": requirement,
        "level": level,
        "expected": 'messages[1].tool_call_id "call_1"',
        "observed": f"messages[1].tool_call_id {text}",
        "state": None,
        "at": "features/a.feature:3",
        "strict_only": False,
        "exchanges": [],
        "rerun": "rollout-conformance run --case 'one'",
        "reports": ["someone/server#1"],
    }


def cited(text: str, numbers: Iterable[int]) -> dict[str, Any]:
    """A finding that these exchanges of a trace prove."""
    wire = {"direction": "from target", "method": "POST", "path": "/", "status": 200, "fault": None}
    bodies = {"request_body": "", "response_body": ""}
    return {**finding(text), "exchanges": [{"n": n, **wire, **bodies} for n in numbers]}


def result(case: str, verdict: str, findings: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    judged = [{"id": one["requirement"], "level": one["level"], "verdict": "fail"} for one in findings or []]
    judged += [{"id": "ROLLOUT-001", "level": "must", "verdict": "pass"}] if verdict in ("pass", "fail") else []
    return {
        "type": "result",
        "case": case,
        "verdict": verdict,
        "reason": "",
        "seconds": 0.5,
        "late_s": 0.0,
        "requirements": judged,
        "findings": findings or [],
        "trace": trace(),
        **more,
    }


def case(name: str, dialect: str = "sync") -> dict[str, Any]:
    return {
        "type": "case",
        "id": f"features/a.feature::{name}[{dialect}]",
        "name": name,
        "dialect": dialect,
        "at": "features/a.feature:3",
        "requirements": ["ROLLOUT-094"],
    }


def footer(results: int, aborted: bool = False) -> dict[str, Any]:
    counts = {"planned": results, "executed": results, "skipped": 0, "not_run": 0, "verdicts": {}, "requirements": {}}
    return {"type": "footer", **counts, "aborted": aborted, "ended_by": "SIGTERM" if aborted else None}


def written(file: Path, results: Iterable[dict[str, Any]], cases: Iterable[dict[str, Any]], **header: Any) -> Path:
    """A report of these lines, which is complete."""
    results = list(results)
    lines = [{**HEADER, **header}, *cases, *results, footer(len(results))]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def ordinary(file: Path, **header: Any) -> Path:
    """One case that fails, one with a warning, one without evidence, one that was skipped and one that passes."""
    names = ["one fails", "two warns", "three is silent", "four is skipped", "five passes"]
    cases = [case(name, "callback" if n == 4 else "sync") for n, name in enumerate(names)]
    ids = [one["id"] for one in cases]
    weak = [finding("weak", "ROLLOUT-013", "should")]
    results = [
        result(ids[4], "pass"),
        result(ids[1], "pass", weak),
        result(ids[2], "inconclusive", reason="no occasion arose to judge ROLLOUT-094"),
        result(ids[3], "skip", reason="the target has no tools", trace=None),
        result(ids[0], "fail", [cited("null", [1, 2])]),
    ]
    return written(file, results, cases, **header)
