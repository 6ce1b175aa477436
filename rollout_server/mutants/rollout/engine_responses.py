"""Defects that show only with what inference engines really return: no text, odd ids, other finish reasons, late and large responses."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, LEASED, ROUTED
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.rollout import agent, errors, generation, tools
from rollout_conformance.rollout_server.rollout.service import Service
from rollout_conformance.rollout_server.rollout.trainer_client import TrainerClient

ALMOST_FULL = 16_000  # tokens of a prompt from which on an agent compacts its history
ONE_MIB = 1 << 20


def _asks_again_without_text(original: Any, rollout: Any, reply: Any) -> str | None:
    reason: str | None = original(rollout, reply)
    return None if reason == "stop" and not reply.message.get("content") else reason


def _asks_again_after_reasoning(original: Any, rollout: Any, reply: Any) -> str | None:
    thought = reply.message.get("reasoning_content") or reply.message.get("reasoning")
    reason: str | None = original(rollout, reply)
    return None if reason == "stop" and thought and not reply.message.get("content") else reason


def _one_id_for_all(original: Any, raw: Any, start: Any) -> Any:
    """Calls without an id share one, and of calls with the same id the last counts."""
    message = raw["choices"][0]["message"] if isinstance(raw, dict) and raw.get("choices") else None
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    if (
        isinstance(message, dict)
        and isinstance(calls, list)
        and any(isinstance(call, dict) and not call.get("id") for call in calls)
    ):
        for call in calls:
            call["id"] = call.get("id") or "call_0"
        message["tool_calls"] = list({call["id"]: call for call in calls}.values())
    return original(raw, start)


async def _equal_calls_once(original: Any, box: Any, calls: Sequence[Any]) -> Any:
    made = await original(box, calls)
    kept = {json.dumps(call["function"], sort_keys=True): n for n, call in reversed(list(enumerate(calls)))}
    return [made[n] for n in sorted(kept.values())]


async def _equal_calls_from_memory(original: Any, rollout: Any, calls: Any, app_state: Any) -> Any:
    """A call that equals one of an earlier turn is not run, and has no result."""
    before = [call["function"] for message in rollout.history[:-1] for call in message.get("tool_calls") or ()]
    return await original(rollout, [call for call in calls if call["function"] not in before], app_state)


def _calls_are_turns(original: Any, rollout: Any, reply: Any) -> str | None:
    calls = rollout.counters.tool_calls + len(reply.calls)
    reason: str | None = original(rollout, reply)
    return "max_turns" if reason is None and len(reply.calls) > 1 and calls >= rollout.start.max_turns else reason


async def _five_seconds(
    original: Any, self: Any, url: str, body: bytes, headers: Any, policy: Any, timeout_s: float
) -> Any:
    return await original(self, url, body, headers, policy, min(timeout_s, 5.0))


async def _compacted(original: Any, rollout: Any, app_state: Any) -> Any:
    reply = await original(rollout, app_state)
    if reply.prompt_tokens >= ALMOST_FULL:
        rollout.history = [*rollout.history[:1], {"role": "user", "content": "A summary of the conversation."}]
    return reply


async def _usage_needed(original: Any, rollout: Any, app_state: Any) -> Any:
    reply = await original(rollout, app_state)
    if not reply.prompt_tokens and reply.sampled_tokens:
        raise errors.invalid_reply("its usage is incomplete")
    return reply


_running: set["asyncio.Task[Any]"] = set()
_ended: set["asyncio.Task[Any]"] = set()


async def _one_fate(original: Any, rollout: Any, app_state: Any) -> str:
    """The failure of one agent ends those that run beside it."""
    task = asyncio.ensure_future(original(rollout, app_state))
    _running.add(task)
    try:
        return str(await task)
    except asyncio.CancelledError as error:
        if task in _ended:
            raise errors.internal() from error
        task.cancel()
        raise
    except errors.RolloutError:
        for other in _running - {task}:
            _ended.add(other)
            other.cancel()
        raise
    finally:
        _running.discard(task)


def _cancels_all(original: Any, self: Any, request: Any) -> Any:
    found = original(self, request)
    for name, run in self.by_id.items():
        if found and "not_found" not in found.values():
            self.cancelled.add(name)
            asyncio.get_running_loop().call_soon(run.cancel)
    return found


MUTANTS = (
    Mutant(
        "asks_again_without_text",
        breaks="112",
        also=("115", "065", "113", "117"),
        what="a response without text and calls is requested again",
        patch=around(agent, "reason_to_stop", _asks_again_without_text),
    ),
    Mutant(
        "asks_again_after_reasoning",
        breaks="112",
        what="a response with reasoning only is requested again",
        patch=around(agent, "reason_to_stop", _asks_again_after_reasoning),
    ),
    Mutant(
        "one_id_for_all",
        breaks="106",
        also=("093", "117", "115", "049"),
        what="tool calls without ids share one, and one of them is answered",
        patch=around(generation, "check", _one_id_for_all),
        dialects=CALLBACK,
    ),
    Mutant(
        "equal_calls_once",
        breaks="093",
        what="of equal tool calls of a turn one is answered",
        patch=around(tools, "run_calls", _equal_calls_once),
        dialects=CALLBACK,
    ),
    Mutant(
        "equal_calls_from_memory",
        breaks="093",
        what="a tool call that equals an earlier one is not answered",
        patch=around(agent, "run_tools", _equal_calls_from_memory),
        dialects=CALLBACK,
    ),
    Mutant(
        "abort_is_stop",
        breaks="080",
        what="of the finish reasons only length is no natural end",
        patch=put(agent, "was_truncated", lambda reply: reply.finish_reason == "length"),
    ),
    Mutant(
        "calls_are_turns",
        breaks="113",
        what="each of several tool calls counts as a turn",
        patch=around(agent, "reason_to_stop", _calls_are_turns),
    ),
    Mutant(
        "gives_up_after_five_seconds",
        breaks="241",
        what="a generation times out after the five seconds that are the default of an HTTP client",
        patch=around(TrainerClient, "post", _five_seconds),
    ),
    Mutant(
        "compacts_history",
        breaks="048",
        also=("117", "118", "131", "130", "049"),
        what="the history is replaced by a summary when the reported prompt is long",
        patch=around(generation, "generate", _compacted),
        dialects=CALLBACK,
    ),
    Mutant(
        "usage_needed",
        breaks="072",
        what="a usage without prompt_tokens fails the rollout",
        patch=around(generation, "generate", _usage_needed),
        dialects=CALLBACK,
    ),
    Mutant(
        "bodies_of_one_mib",
        breaks="242",
        also=("038",),
        what="request bodies above 1 MiB are rejected with 413",
        patch=around(request_parsing, "read_body", lambda original, request, limit: original(request, ONE_MIB)),
    ),
    Mutant(
        "failure_ends_others",
        breaks="240",
        also=("231",),
        what="a rollout that fails ends those that run beside it",
        patch=around(agent, "run", _one_fate),
        dialects=CALLBACK,
    ),
    Mutant(
        "cancel_ends_others",
        breaks="240",
        also=("221", "222", "223", "224", "225", "226", "227", "216"),
        what="the cancellation of one rollout cancels all",
        patch=around(Service, "cancel", _cancels_all),
        dialects=(*ROUTED, *LEASED),
    ),
)
