"""Right variants: the reference server with a freedom that every server has, so that the suite can be seen to leave it alone.

Each is served like a mutant, by its name in ROLLOUT_MUTANT, and none is listed among them.
"""

import asyncio
import copy
from dataclasses import replace
from typing import Any

import aiohttp
import httpx
from starlette.responses import Response
from tokenizers import Tokenizer

from rollout_conformance.rollout_server.common import http_client, request_parsing
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.common.settings import SHIPPED_TOKENIZER
from rollout_conformance.rollout_server.mutants.framework import after, around, put
from rollout_conformance.rollout_server.mutants.rollout import generation as generation_mutants
from rollout_conformance.rollout_server.mutants.rollout import http_surface, routed
from rollout_conformance.rollout_server.mutants.rollout import results as result_mutants
from rollout_conformance.rollout_server.mutants.rollout.patches import behind_results
from rollout_conformance.rollout_server.rollout import (
    agent,
    delivery,
    endpoints,
    errors,
    generation,
    request_reader,
    retry,
    tools,
)
from rollout_conformance.rollout_server.rollout import routed_dialect as routes
from rollout_conformance.rollout_server.rollout.app_state import AppState


def _python_words(original: Any, tool: Any, arguments: Any) -> Any:
    """A message of the Python runtime is a valid error text."""
    complaint = original(tool, arguments)
    if complaint is None or not isinstance(arguments, dict):
        return complaint
    return f"{tool.name}() missing 1 required positional argument: 'a'"


def _any_role(original: Any, raw: Any, start: Any) -> Any:
    """A reply is accepted with any role."""
    checked = copy.deepcopy(raw)
    for choice in (checked.get("choices") or ()) if isinstance(checked, dict) else ():
        if isinstance(choice, dict) and isinstance(choice.get("message"), dict):
            choice["message"]["role"] = "assistant"
    return original(checked, start)


def _around_member(name: str, stand_in: Any) -> Any:
    """Validate a start with `stand_in(value)` instead of a member, and run it with the original value."""

    def validate(original: Any, value: Any, build: Any) -> Any:
        sent = value.get(name) if isinstance(value, dict) else None
        if not isinstance(sent, str) or not sent:
            return original(value, build)
        return replace(original({**value, name: stand_in(sent)}, build), **{name: sent})

    return around(request_parsing, "validate", validate)


def _with_null_defaults(function: dict[str, Any]) -> dict[str, Any]:
    parameters = function["parameters"]
    properties = {name: {**schema, "default": None} for name, schema in parameters["properties"].items()}
    return {**function, "parameters": {**parameters, "properties": properties}}


def _time_in_digits(body: dict[str, Any]) -> dict[str, Any]:
    seconds = body.get("agent_timeout_sec")
    if isinstance(seconds, str) and seconds.isdigit():
        return {**body, "agent_timeout_sec": float(seconds)}
    return body


async def _unknown(self: Any, request: Any) -> Response:
    return json_response({"rollout_id": request.path_params["rollout_id"], "status": "unknown"})


async def _no_dispositions(self: Any, request: Any) -> Response:
    return json_response({"dispositions": {}})


def _knows_nothing() -> None:
    put(endpoints.RolloutStatus, "get", _unknown)()
    put(endpoints.RolloutCancel, "post", _no_dispositions)()


def _other_category(completion: dict[str, Any]) -> dict[str, Any]:
    failed = completion["status"] == "failure"
    return {"err_category": "http_error", "extra_fields": {}} if failed else {}


def _without_sample(report: Any) -> Any:
    return report and replace(report, body={**report.body, "status": "failure", "sample": None})


def _unlabelled(report: Any) -> Any:
    """Without a label nothing is graded: the grade is a failure without a sample."""
    return _without_sample(report) if report and report.body["sample"]["label"] is None else report


async def _says_ungraded(original: Any, start: Any, result: Any, app_state: Any) -> bool:
    """After a rejected completion a failed grade without a sample is posted."""
    told = bool(await delivery.send(start, routes.completion(start, result), app_state))
    grade = routes.grade(start, result)
    report = grade if told else _without_sample(grade)
    return (report is None or await delivery.send(start, report, app_state)) and told


async def _only_strings(original: Any, rollout: Any, calls: Any, app_state: Any) -> Any:
    """Arguments that are not a string end the rollout."""
    if any(not isinstance(call["function"]["arguments"], str) for call in calls):
        raise errors.tools_failed()
    return await original(rollout, calls, app_state)


async def _by_status(original: Any, response: Any, limit: int) -> bytes:
    """Only the status acknowledges a completion: its body may be truncated."""
    try:
        return bytes(await original(response, limit))
    except (httpx.HTTPError, aiohttp.ClientError):
        return b""


async def _grades_all_the_same(original: Any, start: Any, result: Any, app_state: Any) -> bool:
    """The sample is posted after the completion, acknowledged or not."""
    sample = routes.grade(start, result) if start.routes is not None else None
    if sample is None:
        return bool(await original(start, result, app_state))
    await delivery.send(start, routes.completion(start, result), app_state)
    return bool(await delivery.send(start, sample, app_state))


SLOW_S = 1.5  # longer than a case listens on after its last event


async def _slowly(original: Any, *arguments: Any) -> Any:
    """A start request is read by a machine that is busy."""
    try:
        return await original(*arguments)
    except RequestError:
        await asyncio.sleep(SLOW_S)
        raise


def _watches_for_drift() -> None:
    """A turn whose tokens are not canonical would drift with the next prompt, and ends the rollout."""
    tokenizer = Tokenizer.from_file(str(SHIPPED_TOKENIZER / "tokenizer.json"))

    def checked(original: Any, raw: Any, start: Any) -> Any:
        reply = original(raw, start)
        if start.dialect == "sync":
            ids = list(reply.token_ids)
            again = tokenizer.encode(tokenizer.decode(ids, skip_special_tokens=False), add_special_tokens=False).ids
            if ids != again or ids[-1:] != [tokenizer.token_to_id("<|im_end|>")]:
                raise errors.conversation("the tokens have drifted apart")
        return reply

    around(generation, "check", checked)()


async def _answers_unrun(original: Any, rollout: Any, app_state: Any) -> str:
    """The calls of a turn that used up the tokens, or was truncated, are not run, and are answered with an error."""
    reason = str(await original(rollout, app_state))
    calls = rollout.history[-1].get("tool_calls") or ()
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "Error: not run"} for call in calls]
    rollout.history = agent.with_results(rollout.history, results)
    return reason


def _without_key(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "authorization"}


VARIANTS = {
    "python_words": around(tools, "check_arguments", _python_words),
    "keeps_any_role": around(generation, "check", _any_role),
    "follows_without_key": lambda: generation_mutants.follow_redirects(_without_key),
    "null_defaults": http_surface.described(_with_null_defaults),
    "any_id": _around_member("rollout_id", lambda sent: "x"),
    "repeats_conflicts": around(retry, "should_retry", lambda original, status: original(status) or status == 409),
    "failures_unmeasured": result_mutants.if_error(
        metrics={"total_latency_ms": 0, "llm_latency_ms": 302, "num_llm_calls": 0}
    ),
    "query_kept": _around_member("server_url", lambda sent: sent.partition("?")[0]),
    "knows_nothing": _knows_nothing,
    "time_in_digits": routed.incoming(_time_in_digits),
    "other_category": routed.completions(_other_category),
    "reminds": behind_results({"role": "user", "content": "Use the results, and answer in one sentence."}),
    "retries_once": put(AppState, "generation_policy", lambda self, dialect: retry.Policy(1, 0.02, 2.0)),
    "retries_twice": put(AppState, "generation_policy", lambda self, dialect: retry.Policy(2, 0.02, 2.0)),
    "unlabelled_ungraded": after(routes, "grade", _unlabelled),
    "no_grader": after(routes, "grade", _without_sample),
    "says_ungraded": around(delivery, "deliver", _says_ungraded),
    "only_strings": around(agent, "run_tools", _only_strings),
    "answers_unrun": around(agent, "run", _answers_unrun),
    "acknowledged_by_status": around(http_client, "read_body", _by_status),
    "grades_all_the_same": around(delivery, "deliver", _grades_all_the_same),
    "watches_for_drift": _watches_for_drift,
    "rejects_slowly": around(request_reader, "read_start", _slowly),
}
