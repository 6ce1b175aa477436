"""Whether a stream that was joined, divided or renamed still has everything that was sent."""

from typing import Any

import pytest

from rollout_conformance.steps.profiles.router.stream_content import same_content


def chunk(delta: dict[str, Any], **choice: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": None, **choice}]}


def call(arguments: str, **more: Any) -> dict[str, Any]:
    return chunk({"tool_calls": [{"index": 0, **more, "function": {"arguments": arguments}}]})


TEXT = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "a"}),
    chunk({"content": "b"}, finish_reason="stop"),
]


@pytest.mark.parametrize(
    ("sent", "received", "same"),
    [
        (TEXT, [chunk({"role": "assistant", "content": "ab"}), chunk({}, finish_reason="stop")], True),
        (TEXT, [chunk({"role": "assistant", "content": "ba"}), chunk({}, finish_reason="stop")], False),
        (TEXT, [*TEXT[:2], *TEXT[1:]], False),
        (TEXT, TEXT[:2], False),
        (TEXT, [*TEXT[:2], chunk({"content": "b"}, finish_reason="length")], False),
        ([call("{", id="c"), call("}")], [call("{}", id="c")], True),
        ([call("{", id="c"), call("}")], [call("{}", id="d")], False),
        ([call("{", id="c"), call("}")], [call("", id="c"), chunk({"content": "{}"})], False),
        ([chunk({"reasoning": "Hm"})], [chunk({"reasoning_content": "Hm"})], True),
        ([chunk({"reasoning": "Hm"})], [chunk({"content": "Hm"})], False),
        ([chunk({"content": "a"}, logprobs={"content": [1]})], [chunk({"content": "a"})], False),
        ([chunk({}, logprobs={"content": [{"bytes": None}]})], [chunk({}, logprobs={"content": [{}]})], True),
        ([chunk({"content": "a", "rc": 1})], [chunk({"content": "a"})], False),
        ([{**chunk({}), "rc_chunk": 0}], [chunk({})], False),
        ([{"choices": [{"index": 1, "delta": {"content": "a"}}]}], [chunk({"content": "a"})], False),
    ],
)
def test_what_a_stream_amounts_to(sent: list[Any], received: list[Any], same: bool) -> None:
    assert same_content(sent, received) is same
