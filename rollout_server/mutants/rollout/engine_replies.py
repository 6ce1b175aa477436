"""Defects with what an engine may return: no text, unusual ends, large numbers and bodies, calls without an id."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from rollout_conformance.rollout_server.common import http_client
from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, after, around, every, put
from rollout_conformance.rollout_server.mutants.rollout.patches import change_result
from rollout_conformance.rollout_server.rollout import agent, app, generation, tools, trainer_client
from rollout_conformance.rollout_server.rollout.generation import Reply

THRESHOLD = 16_000
FEW_S = 5.0
BODY_BYTES = 2**20
TOLD_APART = ("length", "content_filter")
SUMMARY = {"role": "user", "content": "Summary of the conversation so far."}


def _asks_again(silent: Any) -> Patch:
    """A reply without a call that `silent` takes for unfinished does not end the rollout."""

    def reason(original: Any, rollout: Any, reply: Reply) -> str | None:
        found = original(rollout, reply)
        return None if found == "stop" and silent(reply.message) else found

    return around(agent, "reason_to_stop", reason)


def _only_reasons(message: Mapping[str, Any]) -> bool:
    return not message.get("content") and bool(message.get("reasoning_content") or message.get("reasoning"))


def _is_empty(message: Mapping[str, Any]) -> bool:
    return message.get("content", None) is None and not message.get("reasoning_content")


def _compacts(original: Any, raw: Any, reply: Any, start: Any) -> Reply:
    made: Reply = original(raw, reply, start)
    usage = raw.get("usage")
    _large.set(isinstance(usage, dict) and (usage.get("prompt_tokens") or 0) >= THRESHOLD)
    return made


class _Large:
    """Whether the last reply of the running task had a large prompt."""

    def __init__(self) -> None:
        self.tasks: dict[int, bool] = {}

    def set(self, value: bool) -> None:
        self.tasks[id(asyncio.current_task())] = value

    def get(self) -> bool:
        return self.tasks.pop(id(asyncio.current_task()), False)


_large = _Large()


def _summarized(original: Any, history: Sequence[Any], results: Sequence[Any]) -> Sequence[Any]:
    return [history[0], SUMMARY] if _large.get() else original(history, results)


async def _as_sent(original: Any, response: httpx.Response, limit: int) -> bytes:
    if response.is_stream_consumed:
        return bytes(await original(response, limit))
    return b"".join([chunk async for chunk in response.aiter_raw()])


async def _decoded_one_by_one(original: Any, response: httpx.Response, limit: int) -> bytes:
    return b"".join([chunk.decode("utf-8", "replace").encode() async for chunk in response.aiter_bytes()])


def _calls_are_turns() -> None:
    async def run(original: Any, rollout: Any, app_state: Any) -> str:
        turns = 0
        for _ in range(rollout.start.max_turns):
            reply = await generation.generate(rollout, app_state)
            rollout.history = agent.next_history(rollout.history, reply.message)
            reason = agent.reason_to_stop(rollout, reply)
            if reason is not None:
                return reason
            made = await agent.run_tools(rollout, reply.calls, app_state)
            rollout.history = agent.with_results(rollout.history, made)
            turns += len(reply.calls)
            if turns >= rollout.start.max_turns:
                break
        return "max_turns"

    around(agent, "run", run)()


def _with_ids(raw: Any) -> Any:
    """Every call without an id gets the same one."""
    message = _message(raw)
    for call in message.get("tool_calls") or ():
        call["id"] = call.get("id") or "call_0"
    return raw


def _message(raw: Any) -> dict[str, Any]:
    choices = raw.get("choices") if isinstance(raw, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    return message if isinstance(message, dict) else {}


async def _unique(original: Any, box: Any, calls: Any) -> Any:
    made_up = [call for call in calls if call["id"] == "call_0"]
    return await original(box, [call for call in calls if call not in made_up[1:]])


async def _once(original: Any, box: Any, calls: Any) -> Any:
    """Of calls with the same name and arguments only the first is run, and gets a message."""
    first = {json.dumps(call["function"], sort_keys=True): call for call in reversed(calls)}
    return await original(box, [call for call in calls if any(call is one for one in first.values())])


def _skips_known_ids() -> None:
    async def run_tools(original: Any, rollout: Any, calls: Any, app_state: Any) -> Any:
        known = {m.get("tool_call_id") for m in rollout.history if m.get("role") == "tool"}
        return await original(rollout, [call for call in calls if call["id"] not in known], app_state)

    around(agent, "run_tools", run_tools)()


def _drops_detailed_usage(raw: Any) -> Any:
    usage = raw.get("usage") if isinstance(raw, dict) else None
    known = {"prompt_tokens", "completion_tokens", "total_tokens"}
    return {**raw, "choices": None} if isinstance(usage, dict) and set(usage) - known else raw


def _smaller(**limits: int) -> Patch:
    """The application with other settings."""

    def create(original: Any, settings: Any, transport: Any) -> Any:
        return original(settings.model_copy(update=limits), transport)

    return around(app, "create_state", create)


def _impatient(original: Any, settings: Any, transport: Any) -> Any:
    fewer = min(settings.generation_timeout_s, FEW_S)
    return original(settings.model_copy(update={"generation_timeout_s": fewer, "generation_retries": 1}), transport)


def _less_than_the_limit(original: Any, settings: Any, transport: Any) -> Any:
    less = settings.generation_timeout_s * 0.4
    return original(settings.model_copy(update={"generation_timeout_s": less}), transport)


def _as_stop(names: Sequence[str]) -> Patch:
    def change(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "finish_reason": "stop"} if body["finish_reason"] in names else body

    patch: Patch = change_result(change)
    return patch


MUTANTS = (
    Mutant(
        "reasoning_loop",
        breaks="112",
        what="a message with reasoning only does not end the rollout",
        patch=_asks_again(_only_reasons),
    ),
    Mutant(
        "empty_loop",
        breaks="112",
        what="a message without content does not end the rollout",
        patch=_asks_again(_is_empty),
    ),
    Mutant(
        "only_length_told",
        breaks="080",
        what="only `length` and `content_filter` are told apart from a natural end",
        patch=put(agent, "was_truncated", lambda reply: reply.finish_reason in TOLD_APART),
    ),
    Mutant(
        "filtered_is_stop",
        breaks="080",
        what="`content_filter` is reported as a natural end",
        patch=_as_stop(("content_filter",)),
    ),
    Mutant(
        "unknown_is_stop", breaks="080", what="unknown finish reasons are natural ends", patch=_as_stop(("x_unknown",))
    ),
    Mutant(
        "compaction",
        breaks="047",
        also=("048", "049", "093", "117", "118"),
        dialects=("callback", "routed"),
        what="the history is summarized once the usage is large",
        patch=every(around(generation, "to_reply", _compacts), around(agent, "with_results", _summarized)),
    ),
    Mutant(
        "usage_is_closed",
        breaks="078",
        what="a generation with unknown members in usage is rejected",
        patch=after(generation, "parse", _drops_detailed_usage),
    ),
    Mutant(
        "gzip_not_decoded",
        breaks="245",
        what="requests name gzip, and a compressed generation is parsed without being decoded",
        patch=every(
            after(trainer_client, "headers", lambda headers: headers | {"accept-encoding": "gzip, deflate"}),
            around(http_client, "read_body", _as_sent),
        ),
    ),
    Mutant(
        "packets_decoded_alone",
        breaks="049",
        also=("*",),
        what="each packet of a generation is decoded alone, and characters between two are lost",
        patch=around(http_client, "read_body", _decoded_one_by_one),
    ),
    Mutant(
        "calls_are_turns",
        breaks="243",
        also=("113", "112"),
        what="each of several parallel calls uses up a turn",
        patch=_calls_are_turns,
    ),
    Mutant(
        "one_made_up_id",
        breaks="244",
        what="calls without an id share one, and one of them is run",
        patch=every(after(generation, "parse", _with_ids), around(tools, "run_calls", _unique)),
    ),
    Mutant(
        "known_ids_skipped",
        breaks="244",
        also=("093", "109"),
        what="a call whose id occurred before is not run",
        patch=_skips_known_ids,
    ),
    Mutant(
        "equal_calls_merged",
        breaks="093",
        also=("104", "105", "117"),
        what="equal calls of one generation are run once, and get one message",
        patch=around(tools, "run_calls", _once),
    ),
    Mutant(
        "start_below_1m",
        breaks="242",
        also=("038",),
        what="start requests above 1 MiB are rejected",
        patch=_smaller(max_body_bytes=BODY_BYTES),
    ),
    Mutant(
        "reply_below_1m",
        breaks="242",
        what="generation responses above 1 MiB are rejected",
        patch=_smaller(max_reply_bytes=BODY_BYTES),
    ),
    Mutant(
        "reply_below_2m",
        breaks="242",
        what="generation responses above 2 MiB are rejected",
        patch=_smaller(max_reply_bytes=2 * BODY_BYTES),
    ),
    Mutant(
        "five_seconds",
        breaks="241",
        also=("084",),
        what="a generation is given up after 5 seconds",
        patch=around(app, "create_state", _impatient),
    ),
    Mutant(
        "less_than_the_limit",
        breaks="241",
        also=("047", "084", "093", "240"),
        what="a generation is given up before the configured limit has passed",
        patch=around(app, "create_state", _less_than_the_limit),
    ),
)
