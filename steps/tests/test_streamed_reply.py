"""A generation as a stream: what a client puts together from the chunks is the message that a whole response has."""

import json
from typing import Any

import pytest

from rollout_conformance.steps.peers import streamed_reply

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":  5, "b": 3}'}}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def reply(message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion", "choices": [choice], "usage": USAGE, "token_ids": [1, 2]}


def chunks(value: dict[str, Any], **asked: Any) -> list[dict[str, Any]]:
    lines = streamed_reply.encode(value, {"stream": True, **asked}).decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def joined(received: list[dict[str, Any]]) -> tuple[dict[str, Any], Any]:
    message: dict[str, Any] = {}
    finish = None
    for chunk in received:
        for choice in chunk["choices"]:
            finish = choice.get("finish_reason") or finish
            for name, value in choice["delta"].items():
                if name == "tool_calls":
                    _add_calls(message.setdefault("tool_calls", []), value)
                elif name in ("content", "reasoning_content") and isinstance(value, str):
                    message[name] = (message.get(name) or "") + value
                else:
                    message[name] = value
    return message, finish


def _add_calls(calls: list[dict[str, Any]], parts: list[dict[str, Any]]) -> None:
    for part in parts:
        index = part.pop("index")
        if index == len(calls):
            calls.append(part)
        else:
            calls[index]["function"]["arguments"] += part["function"]["arguments"]


@pytest.mark.parametrize(
    "message",
    [
        {"content": "The result is 8."},
        {"content": ""},
        {"content": None, "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
        {"content": "Both.", "reasoning_content": "5 · 3 \U0001f680", "tool_calls": [CALL], "refusal": None},
    ],
    ids=str,
)
def test_the_chunks_are_the_message(message: dict[str, Any]) -> None:
    received = chunks(reply(message, "length"))
    assert joined(received) == ({"role": "assistant", **message}, "length")
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in received)


def test_usage_comes_only_where_it_is_requested() -> None:
    assert all("usage" not in chunk for chunk in chunks(reply({"content": "Yes."})))
    last = chunks(reply({"content": "Yes."}), stream_options={"include_usage": True})[-1]
    assert (last["choices"], last["usage"]) == ([], USAGE)


@pytest.mark.parametrize("choices", [None, [], "none", [{"index": 0}]], ids=str)
def test_a_reply_that_is_none_stays_none(choices: object) -> None:
    assert [chunk["choices"] for chunk in chunks({"id": "x", "choices": choices})] == [choices]


@pytest.mark.parametrize(
    ("body", "stream"), [({"stream": True}, True), ({"stream": None}, False), ({}, False), ([], False)], ids=str
)
def test_only_a_request_with_stream_true_gets_a_stream(body: object, stream: bool) -> None:
    assert streamed_reply.requested(body) is stream
