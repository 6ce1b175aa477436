"""The agent: ask, run the tools that were called, ask again.

Another agent is another module with a `run` like this one's, named in ROLLOUT_AGENT.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rollout_conformance.rollout_server.rollout import errors, generation, tools
from rollout_conformance.rollout_server.rollout.generation import Reply
from rollout_conformance.rollout_server.rollout.rollout_state import Message, Rollout

if TYPE_CHECKING:
    from rollout_conformance.rollout_server.rollout.service import Kit

NAME = "tool_loop"
NATURAL_ENDS = (None, "", "stop", "tool_calls", "function_call")


async def run(rollout: Rollout, kit: "Kit") -> str:
    """Turn after turn until something ends it; what that was is the finish reason."""
    for _ in range(rollout.start.max_turns):
        reply = await generation.ask(rollout, kit)
        rollout.history = next_history(rollout.history, reply.message)
        reason = reason_to_stop(rollout, reply)
        if reason is not None:
            return reason
        rollout.history = with_results(rollout.history, await run_tools(rollout, reply.calls, kit))
    return "max_turns"


def next_history(history: Sequence[Message], message: Message) -> Sequence[Message]:
    """The trainer holds tokens of every reply, so every reply is in the transcript, and exactly as it came."""
    return [*history, message]


def with_results(history: Sequence[Message], results: Sequence[Message]) -> Sequence[Message]:
    return [*history, *results]


def reason_to_stop(rollout: Rollout, reply: Reply) -> str | None:
    """Why no tool is run after this reply, or None.

    A budget that is used up comes first: nobody would read the results. Then a reply that did not end by itself, whose
    calls may be half a call. The transcript ends with that assistant message.
    """
    if out_of_budget(rollout):
        return "max_tokens"
    if was_cut(reply):
        return reply.finish_reason
    return None if reply.calls else "stop"


def out_of_budget(rollout: Rollout) -> bool:
    return rollout.tally.response_tokens >= rollout.start.max_tokens_total


def was_cut(reply: Reply) -> bool:
    return reply.finish_reason not in NATURAL_ENDS


async def run_tools(rollout: Rollout, calls: Sequence[Message], kit: "Kit") -> Sequence[Message]:
    began = time.perf_counter()
    rollout.tally.tool_calls += len(calls)
    try:
        return await tools.run_calls(kit.toolbox, calls)
    except Exception as error:  # what a call does wrong is in its result; this is the server's own fault
        raise errors.tools_failed() from error
    finally:
        rollout.tally.tool_s += time.perf_counter() - began
