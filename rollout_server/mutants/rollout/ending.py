"""Defects of the end: limits, the final result, its delivery, and shutdown."""

import asyncio
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.mutants.framework import BOTH, CALLBACK, SYNC, Mutant, after, around, put
from rollout_conformance.rollout_server.rollout import (
    agent,
    delivery,
    endpoints,
    errors,
    generation,
    results,
    retry,
    service,
    start_request,
    trainer_client,
)
from rollout_conformance.rollout_server.rollout.service import Kit, Service


def _result(change: Any) -> Any:
    """Change the final result as it is written."""
    return after(results, "body", lambda body: change(dict(body)))


def if_error(**members: Any) -> Any:
    return _result(lambda b: {**b, **members} if b["status"] == "ERROR" else b)


def _if_completed(**members: Any) -> Any:
    return _result(lambda b: {**b, **members} if b["status"] == "COMPLETED" else b)


def _metrics(change: Any) -> Any:
    return _result(lambda b: {**b, "metrics": change(dict(b["metrics"]))})


def _without_results(b: dict[str, Any]) -> dict[str, Any]:
    messages = list(b["final_messages"])
    while b["finish_reason"] == "max_turns" and messages[-1].get("role") == "tool":
        messages.pop()
    return {**b, "final_messages": messages}


def _headless(b: dict[str, Any]) -> dict[str, Any]:
    if b["status"] == "ERROR" or not b["final_messages"]:
        return b
    first, *rest = b["final_messages"]
    return {**b, "final_messages": [{**first, "content": "?"}, *rest]}


async def _http_500(self: Any, request: Any) -> Any:
    own = endpoints.service_of(request)
    asked = await request_parsing.read_start(request, own.kit.settings, start_request.from_sync)
    result = await endpoints.launch(lambda: own.run_sync(asked))
    return endpoints.json_response(results.body(result), 500 if result.error else 200)


def _fails_after_tools(original: Any, rollout: Any, prompt: int) -> Any:
    if any(message.get("role") == "tool" for message in rollout.history):
        raise errors.RolloutError("internal_error", "Negative token count")
    return original(rollout, prompt)


async def _runs_tools_all_the_same(original: Any, rollout: Any, kit: Any) -> str:
    reason = str(await original(rollout, kit))
    calls = rollout.history[-1].get("tool_calls")
    if reason == "max_tokens" and calls:
        rollout.history = agent.with_results(rollout.history, await agent.run_tools(rollout, calls, kit))
    return reason


async def _silent(original: Any, asked: Any, result: Any, kit: Any) -> bool:
    return True if result.error else bool(await original(asked, result, kit))


async def _contradicts(original: Any, asked: Any, result: Any, kit: Any) -> bool:
    if await original(asked, result, kit):
        return True
    return bool(await original(asked, replace(result, error=errors.internal(), finish_reason="error"), kit))


async def _twice(original: Any, asked: Any, result: Any, kit: Any) -> bool:
    await original(asked, result, kit)
    return bool(await original(asked, result, kit))


async def _keyless(report: Any, body: bytes, kit: Any) -> Any:
    return await kit.trainer.post(report.url, body, trainer_client.headers(None), kit.completion_policy(), 5)


async def _drops(self: Any) -> None:
    for task in self.tasks():
        task.cancel()
    await service.settle(self.tasks(), None)


def _begin_silently(self: Any) -> None:
    self.stopping = False
    self._stopped = self._stopped or asyncio.ensure_future(_drops(self))


def _calls_although_refused(original: Any, value: Any, build: Any) -> Any:
    try:
        return original(value, build)
    except request_parsing.Refusal:
        unsampled = isinstance(value, dict) and not {"sampling_params", "completion_params"} & set(value)
        if unsampled:
            _kept.append(asyncio.ensure_future(_stray(value)))
        raise


_kept: list[Any] = []


async def _stray(value: dict[str, Any]) -> None:
    import contextlib
    import json

    client = trainer_client.TrainerClient(trainer_client.transport(), 10**6)
    headers = trainer_client.headers(value.get("callback_api_key") or value.get("api_key"))
    body = json.dumps({"messages": value.get("messages") or [], "rollout_id": value["rollout_id"], "logprobs": True})
    with contextlib.suppress(errors.RolloutError):
        await client.attempt(f"{value['server_url'].rstrip('/')}/v1/chat/completions", body.encode(), headers, 5)


MUTANTS = (
    Mutant(
        "calls_although_refused",
        "042",
        "a refused start is asked about all the same",
        around(request_parsing, "validate", _calls_although_refused),
        BOTH,
        ("017", "142", "050", "125"),
    ),
    Mutant(
        "done_is_done",
        "112",
        "the natural end has another name",
        _result(lambda b: {**b, "finish_reason": "completed"} if b["finish_reason"] == "stop" else b),
        BOTH,
        ("069", "079", "205", "072", "073", "078"),
    ),
    Mutant("results_dropped", "113", "the last results are missing", _result(_without_results)),
    Mutant(
        "budget_exclusive",
        "114",
        "the limit itself is not enough",
        put(agent, "out_of_budget", lambda r: r.tally.response_tokens > r.start.max_tokens_total),
        BOTH,
    ),
    Mutant(
        "tools_over_budget",
        "110",
        "tools run after the budget is used up",
        around(agent, "run", _runs_tools_all_the_same),
    ),
    Mutant(
        "last_words_lost",
        "115",
        "the reply that reached the limit is missing",
        _result(
            lambda b: {**b, "final_messages": b["final_messages"][:-1]} if b["finish_reason"] == "max_tokens" else b
        ),
        BOTH,
    ),
    Mutant(
        "afterword",
        "117",
        "a message too many at the end",
        _result(
            lambda b: (
                {**b, "final_messages": [*b["final_messages"], {"role": "assistant", "content": ""}]}
                if b["status"] == "COMPLETED"
                else b
            )
        ),
        BOTH,
        ("113", "116", "112", "093", "095", "109", "115"),
    ),
    Mutant("first_changed", "118", "the first message changes in the end", _result(_headless), BOTH, ("031",)),
    Mutant(
        "fails_after_tools",
        "231",
        "every rollout ends in ERROR once its tools have run",
        around(generation, "chat_body", _fails_after_tools),
        companions=("*",),
    ),
    Mutant("no_reason", "119", "an error without a message", if_error(error_message="")),
    Mutant("chatty", "120", "a message although nothing failed", _if_completed(error_message="none")),
    Mutant("reasonless", "121", "an error has no finish_reason", if_error(finish_reason=None)),
    Mutant("no_transcript", "122", "an error has no list of messages", if_error(final_messages=None)),
    Mutant(
        "leaky",
        "123",
        "an error shows a stack trace",
        if_error(error_message='Traceback (most recent call last): File "/srv/agent.py", line 7'),
    ),
    Mutant("uncategorised", "124", "an error has no category", if_error(extra_fields={}), BOTH, ("089",)),
    Mutant(
        "http_500",
        "125",
        "a failed rollout is answered 500",
        put(endpoints.Rollout, "post", _http_500),
        SYNC,
        (
            "062",
            "074",
            "075",
            "076",
            "077",
            "067",
            "066",
            "082",
            "083",
            "088",
            "089",
            "090",
            "091",
            "111",
            "119",
            "121",
            "122",
            "123",
            "124",
            "127",
            "129",
            "175",
            "130",
            "059",
            "106",
            "042",
        ),
    ),
    Mutant(
        "nameless",
        "126",
        "the result has no id",
        _result(lambda b: {k: v for k, v in b.items() if k != "rollout_id"}),
        BOTH,
    ),
    Mutant(
        "timeout_unmeasured",
        "129",
        "no metrics when the time is up",
        _result(lambda b: {**b, "metrics": None} if b["extra_fields"].get("error_category") == "timeout" else b),
    ),
    Mutant(
        "miscounts",
        "130",
        "one generation too many is counted",
        _metrics(lambda m: {**m, "num_llm_calls": m["num_llm_calls"] + 1}),
    ),
    Mutant("no_context", "131", "the longest context is 0", _metrics(lambda m: {**m, "max_context_tokens": 0})),
    Mutant("tools_uncounted", "109", "tool calls are not counted", _metrics(lambda m: {**m, "num_tool_calls": 0})),
    Mutant("unmeasured", "132", "a result has no metrics", _if_completed(metrics=None)),
    Mutant("reward_text", "134", "a reward is a text", _if_completed(reward="1.0"), CALLBACK),
    Mutant(
        "failure_unreported",
        "136",
        "a failed rollout reports nothing",
        around(delivery, "deliver", _silent),
        CALLBACK,
        (
            "088",
            "119",
            "121",
            "122",
            "123",
            "124",
            "128",
            "129",
            "144",
            "067",
            "066",
            "076",
            "077",
            "083",
            "082",
            "091",
            "130",
            "137",
            "139",
            "175",
            "062",
            "090",
            "106",
            "204",
        ),
    ),
    Mutant(
        "contradicts",
        "137",
        "after an unacknowledged result comes another",
        around(delivery, "deliver", _contradicts),
        CALLBACK,
        ("139", "140"),
    ),
    Mutant(
        "only_200",
        "138",
        "only 200 acknowledges",
        around(retry, "should_retry", lambda o, status: o(status) or status in (201, 202, 204)),
        CALLBACK,
        ("140", "082"),
    ),
    Mutant(
        "posts_once",
        "139",
        "a completion is not repeated",
        put(Kit, "completion_policy", lambda self: retry.Policy(0, 0.02, 2.0)),
        CALLBACK,
        ("137", "145"),
    ),
    Mutant(
        "posts_twice",
        "140",
        "an acknowledged completion comes again",
        around(delivery, "deliver", _twice),
        CALLBACK,
        ("136", "137", "138", "139", "148", "149", "151", "152", "154", "144"),
    ),
    Mutant("completion_keyless", "143", "a completion carries no key", put(delivery, "post", _keyless), CALLBACK),
    Mutant(
        "silent_shutdown", "144", "shutdown drops what runs", put(Service, "begin_to_stop", _begin_silently), CALLBACK
    ),
)
