"""The response as `chat.completion.chunk` events: for each choice the role, then one chunk for each token."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.common.sse import event
from rollout_conformance.rollout_server.inference import chat_completion, tool_call_parser
from rollout_conformance.rollout_server.inference.chat_completion import ResponseContext
from rollout_conformance.rollout_server.inference.generation import Generation
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.inference.tool_call_parser import Call


async def events(context: ResponseContext, generation: Generation) -> AsyncIterator[bytes]:
    await generation.ready()
    for chunk in opening(context, generation):
        yield event(chunk)
    starts = {choice.index: 0 for choice in generation.choices}
    async for choice, position in generation.tokens():
        start = starts[choice.index]
        end = starts[choice.index] = start + len(choice.texts[position])
        for chunk in token_chunks(context, choice, position, start, end):
            yield event(chunk)
    for last in closing(context, generation):
        yield last


def opening(context: ResponseContext, generation: Generation) -> Iterator[dict[str, Any]]:
    """The roles. The first chunk also has the ids of the prompt."""
    for number, choice in enumerate(generation.choices):
        delta = {"role": "assistant", "content": ""}
        chunk = {**context.head("chat.completion.chunk"), "choices": [choice_delta(choice, delta)]}
        yield chunk | ({"prompt_token_ids": chat_completion.prompt_ids(context)} if number == 0 else {})


def closing(context: ResponseContext, generation: Generation) -> Iterator[bytes]:
    if wants_usage(context):
        usage = stream_usage(context, generation)
        yield event({**context.head("chat.completion.chunk"), "choices": [], "usage": usage})
    yield sse.DONE_EVENT


def stream_usage(context: ResponseContext, generation: Generation) -> dict[str, Any]:
    return chat_completion.usage(context, generation.choices)


def wants_usage(context: ResponseContext) -> bool:
    options = context.request.stream_options
    return bool(options and options.include_usage)


def token_chunks(
    context: ResponseContext, choice: Choice, position: int, start: int, end: int
) -> Iterator[dict[str, Any]]:
    """The chunks of one token, which covers the text from `start` to `end`. Only the last of them has the id and the logprobs of the token."""
    *early, last = [*deltas(choice, start, end)] or [{}]
    for delta in early:
        yield chunk(context, choice_delta(choice, delta))
    final = choice_delta(choice, last) | token_fields(context, choice, position)
    if position == len(choice.texts) - 1:
        final |= {"finish_reason": choice.finish_reason, "stop_reason": choice.stop_reason}
    if last or final["finish_reason"] or context.request.logprobs or context.request.return_token_ids:
        yield chunk(context, final)


def chunk(context: ResponseContext, choice: dict[str, Any]) -> dict[str, Any]:
    return {**context.head("chat.completion.chunk"), "choices": [choice]}


def choice_delta(choice: Choice, delta: dict[str, Any]) -> dict[str, Any]:
    return {"index": choice.index, "delta": delta, "logprobs": None, "finish_reason": None, "token_ids": None}


def token_fields(context: ResponseContext, choice: Choice, position: int) -> dict[str, Any]:
    """The id and the logprobs entry of one token."""
    request = context.request
    return {
        "logprobs": {"content": [*choice.logprobs[position : position + 1]]} if request.logprobs else None,
        "token_ids": streamed_ids(context, choice, position),
    }


def streamed_ids(context: ResponseContext, choice: Choice, position: int) -> list[int] | None:
    ids = chat_completion.token_ids(context.request, choice)
    return None if ids is None else ids[position : position + 1]


def deltas(choice: Choice, start: int, end: int) -> Iterator[dict[str, Any]]:
    """The deltas of the text from `start` to `end`: content, the head of a call, or a fragment of its arguments."""
    visible = min(end, tool_call_parser.content_end(choice.text, choice.calls))
    if start < visible:
        yield {"content": choice.text[start:visible]}
    for index, call in enumerate(choice.calls):
        if start < call.opened <= end:
            yield {"tool_calls": [head(index, call)]}
        if fragment := choice.text[max(start, call.begin) : min(end, call.end)]:
            yield {"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}


def head(index: int, call: Call) -> dict[str, Any]:
    """Without arguments, which follow, as in vLLM."""
    return {"id": call.id, "type": "function", "index": index, "function": {"name": call.name}}
