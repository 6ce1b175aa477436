"""Defects of when and why a rollout ends."""

import json
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, SYNC
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.mutants.rollout.patches import change_result
from rollout_conformance.rollout_server.rollout import (
    agent,
    errors,
    generation,
    start_request,
    tools,
    trainer_client,
)
from rollout_conformance.rollout_server.rollout.tools import ToolError


def _mended(original: Any, arguments: Any) -> Any:
    try:
        return original(arguments)
    except ToolError:
        try:
            return json.loads(f"{arguments}}}")
        except ValueError:
            raise ToolError("Invalid JSON arguments") from None


def _mend_cut_calls() -> None:
    put(agent, "was_truncated", lambda reply: False)()
    around(tools, "read_arguments", _mended)()


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


def _out_of_time_is_stop(b: dict[str, Any]) -> dict[str, Any]:
    """A rollout that ran out of time is reported like one that the policy ended."""
    if not str(b.get("error_message")).startswith("Rollout timeout exceeded"):
        return b
    return {**b, "status": "COMPLETED", "finish_reason": "stop", "error_message": None}


def _fails_after_tools(original: Any, rollout: Any, prompt: int) -> Any:
    if any(message.get("role") == "tool" for message in rollout.history):
        raise errors.RolloutError("internal_error", "Negative token count")
    return original(rollout, prompt)


def _at_most_fifty(original: Any, body: Any) -> Any:
    asked = original(body)
    return replace(asked, max_turns=min(asked.max_turns, 50))


def _fifty_turns() -> None:
    for name in ("from_sync", "from_callback"):
        around(start_request, name, _at_most_fifty)()


def _stops_after_a_retry() -> None:
    """A rollout that had a retry and reached max_turns reports `stop`."""

    attempts: ContextVar[list[int]] = ContextVar("attempts")  # of the rollout of this task

    def noting(original: Any, headers: Any, attempt: int) -> Any:
        attempts.get([]).append(attempt)
        return original(headers, attempt)

    async def run(original: Any, state: Any, app_state: Any) -> str:
        attempts.set([])
        reason = str(await original(state, app_state))
        return "stop" if reason == "max_turns" and max(attempts.get(), default=1) > 1 else reason

    around(trainer_client, "attempt_headers", noting)()
    around(agent, "run", run)()


def _stop_ends(original: Any, rollout: Any, reply: Any) -> Any:
    return "stop" if reply.finish_reason == "stop" else original(rollout, reply)


MUTANTS = (
    Mutant(
        "stop_ends",
        breaks="093",
        also=("112", "113", "116"),
        what="the calls of a generation with finish_reason stop are not run",
        patch=around(agent, "reason_to_stop", _stop_ends),
        dialects=CALLBACK,
    ),
    Mutant(
        "length_is_stop",
        breaks="080",
        what="a truncated reply is a natural end",
        patch=put(agent, "was_truncated", lambda reply: False),
    ),
    Mutant(
        "cut_call_runs", breaks="081", also=("080",), what="a truncated call is repaired and run", patch=_mend_cut_calls
    ),
    Mutant(
        "done_is_done",
        breaks="112",
        also=("069", "079", "205", "072", "073", "078"),
        what="the natural end has another finish_reason",
        patch=change_result(lambda b: {**b, "finish_reason": "completed"} if b["finish_reason"] == "stop" else b),
    ),
    Mutant(
        "results_dropped", breaks="113", what="the last tool results are missing", patch=change_result(_without_results)
    ),
    Mutant(
        "stops_after_a_retry",
        breaks="113",
        what="max_turns after a retry is reported as stop",
        patch=_stops_after_a_retry,
        dialects=CALLBACK,
    ),
    Mutant(
        "budget_exclusive",
        breaks="114",
        what="the token limit itself does not end the rollout",
        patch=put(agent, "out_of_budget", lambda r: r.counters.response_tokens > r.start.max_tokens_total),
    ),
    Mutant(
        "last_words_lost",
        breaks="115",
        what="the reply that reached the limit is missing",
        patch=change_result(
            lambda b: {**b, "final_messages": b["final_messages"][:-1]} if b["finish_reason"] == "max_tokens" else b
        ),
    ),
    Mutant(
        "afterword",
        breaks="117",
        also=("113", "116", "112", "093", "095", "109", "115"),
        what="an additional message at the end",
        patch=change_result(
            lambda b: (
                {**b, "final_messages": [*b["final_messages"], {"role": "assistant", "content": ""}]}
                if b["status"] == "COMPLETED"
                else b
            )
        ),
    ),
    Mutant(
        "first_changed",
        breaks="118",
        also=("031",),
        what="the first message of the result is changed",
        patch=change_result(_headless),
    ),
    Mutant("fifty_turns", breaks="203", also=("113",), what="long conversations end early", patch=_fifty_turns),
    Mutant(
        "out_of_time_is_stop_sync",
        breaks="127",
        also=("112", "113", "115", "119", "129", "130", "131", "163"),
        what="a rollout that ran out of time is reported as completed",
        patch=change_result(_out_of_time_is_stop),
        dialects=SYNC,
    ),
    Mutant(
        "out_of_time_is_stop_callback",
        breaks="128",
        also=("112", "113", "115", "119", "129", "130", "131", "163"),
        what="a rollout that ran out of time is reported as completed",
        patch=change_result(_out_of_time_is_stop),
        dialects=CALLBACK,
    ),
    Mutant(
        "fails_after_tools",
        breaks="231",
        also=("*",),
        what="every rollout ends in ERROR once its tools have run",
        patch=around(generation, "chat_body", _fails_after_tools),
    ),
)
