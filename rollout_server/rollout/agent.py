"""The agent loop: generate, run the tools that were called, generate again.

Another agent is another module with the same `run`, named in ROLLOUT_AGENT.
"""

import time
from collections.abc import Sequence

from rollout_conformance.rollout_server.rollout import errors, generation, tools
from rollout_conformance.rollout_server.rollout.app_state import AppState
from rollout_conformance.rollout_server.rollout.generation import Reply
from rollout_conformance.rollout_server.rollout.rollout_state import Message, RolloutState

NAME = "tool_loop"
NATURAL_ENDS = (None, "", "stop", "tool_calls", "function_call")


async def run(rollout: RolloutState, app_state: AppState) -> str:
    """One turn after another until one ends the rollout. Returns the finish reason."""
    for _ in range(rollout.start.max_turns):
        reply = await generation.generate(rollout, app_state)
        rollout.history = next_history(rollout.history, reply.message)
        reason = reason_to_stop(rollout, reply)
        if reason is not None:
            return reason
        rollout.history = with_results(rollout.history, await run_tools(rollout, reply.calls, app_state))
    return "max_turns"


def next_history(history: Sequence[Message], message: Message) -> Sequence[Message]:
    """The trainer keeps the tokens of every reply, so every reply is in the transcript, unchanged."""
    return [*history, message]


def with_results(history: Sequence[Message], results: Sequence[Message]) -> Sequence[Message]:
    return [*history, *results]


def reason_to_stop(rollout: RolloutState, reply: Reply) -> str | None:
    """Why no tool is run after this reply, or None.

    An exhausted token budget comes first: the results would not be read. Then a truncated reply, whose last call may be
    incomplete. The transcript ends with that assistant message.
    """
    if out_of_budget(rollout):
        return "max_tokens"
    if was_truncated(reply):
        return reply.finish_reason
    return None if reply.calls else "stop"


def out_of_budget(rollout: RolloutState) -> bool:
    return rollout.counters.response_tokens >= rollout.start.max_tokens_total


def was_truncated(reply: Reply) -> bool:
    return reply.finish_reason not in NATURAL_ENDS


async def run_tools(rollout: RolloutState, calls: Sequence[Message], app_state: AppState) -> Sequence[Message]:
    began = time.perf_counter()
    rollout.counters.tool_calls += len(calls)
    try:
        return await tools.run_calls(app_state.toolbox, calls)
    except Exception as error:  # errors of a call are in its result; this is an error of the server
        raise errors.tools_failed() from error
    finally:
        rollout.counters.tool_s += time.perf_counter() - began
