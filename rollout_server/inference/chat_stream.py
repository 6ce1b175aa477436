"""The answer to a chat request as server-sent events: for each choice its role, then token by token what that token adds."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.inference import chat_completion, tool_call_parser
from rollout_conformance.rollout_server.inference.chat_completion import Told
from rollout_conformance.rollout_server.inference.generation import Run
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.inference.tool_call_parser import Call

DONE = b"data: [DONE]\n\n"


async def events(told: Told, run: Run) -> AsyncIterator[bytes]:
    for chunk in opening(told, run):
        yield event(chunk)
    starts = {choice.index: 0 for choice in run.choices}
    async for choice, place in run.tokens():
        start = starts[choice.index]
        end = starts[choice.index] = start + len(choice.texts[place])
        for chunk in of_token(told, choice, place, start, end):
            yield event(chunk)
    for last in closing(told, run):
        yield last


def event(value: dict[str, Any]) -> bytes:
    return b"data: " + json_text.dumps(value) + b"\n\n"


def opening(told: Told, run: Run) -> Iterator[dict[str, Any]]:
    """The roles. The very first chunk also has the ids of the prompt."""
    for number, choice in enumerate(run.choices):
        delta = {"role": "assistant", "content": ""}
        chunk = {**told.head("chat.completion.chunk"), "choices": [part(choice, delta)]}
        yield chunk | ({"prompt_token_ids": chat_completion.prompt_ids(told)} if number == 0 else {})


def closing(told: Told, run: Run) -> Iterator[bytes]:
    if wants_usage(told):
        usage = counted(told, run)
        yield event({**told.head("chat.completion.chunk"), "choices": [], "usage": usage})
    yield DONE


def counted(told: Told, run: Run) -> dict[str, Any]:
    return chat_completion.usage(told, run.choices)


def wants_usage(told: Told) -> bool:
    options = told.request.stream_options
    return bool(options and options.include_usage)


def of_token(told: Told, choice: Choice, place: int, start: int, end: int) -> Iterator[dict[str, Any]]:
    """The chunks of one token, which covers the text from `start` to `end`. Only the last of them tells of the token itself."""
    *early, last = [*deltas(choice, start, end)] or [{}]
    for delta in early:
        yield chunk(told, part(choice, delta))
    mine = part(choice, last) | of_sampling(told, choice, place)
    if place == len(choice.texts) - 1:
        mine |= {"finish_reason": choice.finish_reason, "stop_reason": choice.stop_reason}
    if last or mine["finish_reason"] or told.request.logprobs or told.request.return_token_ids:
        yield chunk(told, mine)


def chunk(told: Told, choice: dict[str, Any]) -> dict[str, Any]:
    return {**told.head("chat.completion.chunk"), "choices": [choice]}


def part(choice: Choice, delta: dict[str, Any]) -> dict[str, Any]:
    return {"index": choice.index, "delta": delta, "logprobs": None, "finish_reason": None, "token_ids": None}


def of_sampling(told: Told, choice: Choice, place: int) -> dict[str, Any]:
    """The id and the entry of one token. What is told may be shorter than what was sampled only in a mutant."""
    request = told.request
    return {
        "logprobs": {"content": [*choice.logprobs[place : place + 1]]} if request.logprobs else None,
        "token_ids": streamed_ids(told, choice, place),
    }


def streamed_ids(told: Told, choice: Choice, place: int) -> list[int] | None:
    ids = chat_completion.token_ids(told.request, choice)
    return None if ids is None else ids[place : place + 1]


def deltas(choice: Choice, start: int, end: int) -> Iterator[dict[str, Any]]:
    """What of the text between `start` and `end` is content, the head of a call, or a fragment of its arguments."""
    visible = min(end, tool_call_parser.content_end(choice.text, choice.calls))
    if start < visible:
        yield {"content": choice.text[start:visible]}
    for index, call in enumerate(choice.calls):
        if start < call.opened <= end:
            yield {"tool_calls": [head(index, call)]}
        if fragment := choice.text[max(start, call.begin) : min(end, call.end)]:
            yield {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}


def head(index: int, call: Call) -> dict[str, Any]:
    """Without arguments, which follow: as vLLM does it."""
    return {"id": call.id, "type": "function", "index": index, "function": {"name": call.name}}
