"""A generation response as the events of a stream, for agents that request one. What a client puts together from it is the whole response.

The bytes are legal for every reader of server-sent events (WHATWG HTML, 9.2) and follow the chunks of the OpenAI chat API.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from rollout_conformance.steps.engine.lenient_json import JsonObject, mapping

EVENT_STREAM = "text/event-stream"
DONE = b"data: [DONE]\n\n"
PIECES = 3  # how many chunks a text or the arguments of a call come in, at most
WHOLE_ONLY = ("choices", "usage", "prompt_token_ids", "token_ids", "logprobs")


def requested(body: object) -> bool:
    """Whether a generation request asks for a stream."""
    return mapping(body).get("stream") is True


def encode(reply: JsonObject, asked: object, dump: Any = orjson.dumps) -> bytes:
    """All events of the response, the usage too where the request wants it."""
    usage = mapping(mapping(asked).get("stream_options")).get("include_usage") is True
    return b"".join(b"data: " + dump(chunk) + b"\n\n" for chunk in chunks(reply, usage)) + DONE


def chunks(reply: JsonObject, usage: bool) -> Iterator[dict[str, Any]]:
    head = {name: value for name, value in reply.items() if name not in WHOLE_ONLY} | {
        "object": "chat.completion.chunk"
    }
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices:
        yield head | ({"choices": choices} if "choices" in reply else {})
    else:
        for choice in choices:
            yield from (head | {"choices": [one]} for one in _choice(choice))
    if usage and "usage" in reply:
        yield head | {"choices": [], "usage": reply["usage"]}


def _choice(choice: object) -> Iterator[object]:
    """The pieces of one choice; one that has no message stays what it is."""
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        yield choice
        return
    around = {name: value for name, value in choice.items() if name not in ("message", "finish_reason")}
    for delta in _deltas(choice["message"]):
        yield around | {"delta": delta, "finish_reason": None}
    ends = {"finish_reason": choice["finish_reason"]} if "finish_reason" in choice else {}
    yield around | {"delta": {}} | ends


def _deltas(message: JsonObject) -> Iterator[dict[str, Any]]:
    parts = ("content", "reasoning_content", "tool_calls")
    yield {name: value for name, value in message.items() if name not in parts} | {"content": _opening(message)}
    for name in ("reasoning_content", "content"):
        value = message.get(name)
        if isinstance(value, str):
            yield from ({name: piece} for piece in pieces(value))
        elif value is not None:
            yield {name: value}
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        for n, call in enumerate(calls):
            yield from _call(n, call)
    elif "tool_calls" in message and calls is not None:
        yield {"tool_calls": calls}


def _opening(message: JsonObject) -> str | None:
    return "" if isinstance(message.get("content"), str) else None


def _call(n: int, call: object) -> Iterator[dict[str, Any]]:
    """The name of a call first, then its arguments in pieces, as engines send them."""
    function = mapping(mapping(call).get("function"))
    arguments = function.get("arguments")
    if not isinstance(call, dict) or not isinstance(arguments, str):
        yield {"tool_calls": [{"index": n, **call} if isinstance(call, dict) else call]}
        return
    yield {"tool_calls": [{"index": n, **call, "function": {**function, "arguments": ""}}]}
    for piece in pieces(arguments):
        yield {"tool_calls": [{"index": n, "function": {"arguments": piece}}]}


def pieces(text: str) -> list[str]:
    size = max(1, -(-len(text) // PIECES))
    return [text[at : at + size] for at in range(0, len(text), size)]
