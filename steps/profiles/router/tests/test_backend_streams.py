"""What the backends send in streams: every form of an event, every end of a stream."""

import json
from collections.abc import Iterable
from typing import Any, cast, get_args

import pytest

from rollout_conformance.steps.engine.trace import Request, Trace
from rollout_conformance.steps.peers.asgi_binding import _start
from rollout_conformance.steps.peers.event_framing import Framing, framed
from rollout_conformance.steps.peers.scripted_backends import (
    Backend,
    BackendPlay,
    BackendResponse,
    Backends,
    BackendScript,
)
from rollout_conformance.steps.sse.parser import Parser

NONCE = "rc-00000000-1x"
VALUES: list[Any] = [{"a": ["\u4f60 \U0001f680", None, {"b": 0}]}, {"c": "x\n\r\ny"}, "[DONE]"]


def events(pieces: Iterable[bytes]) -> list[str]:
    parser = Parser()
    return [event.data for piece in pieces for event in parser.feed(piece)]


def played(line: BackendResponse) -> BackendPlay:
    backends = Backends()
    backends.add(BackendScript(NONCE, Trace(), (line,)))
    body = {"messages": [{"role": "user", "content": NONCE}], "stream": True, "stream_options": {"include_usage": True}}
    return Backend("a", backends).receive(Request("POST", "/v1/chat/completions", (), json.dumps(body).encode()))


@pytest.mark.parametrize(
    "framing", [(), *((one,) for one in get_args(Framing)), ("crlf", "comments", "fields")], ids=str
)
@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_a_reader_of_the_standard_reads_every_form(framing: tuple[Framing, ...], size: int) -> None:
    flow = b"".join(framed(VALUES, framing))
    *chunks, done = events(flow[at : at + size] for at in range(0, len(flow), size))
    assert ([json.loads(one) for one in chunks], done) == (VALUES[:-1], "[DONE]")


@pytest.mark.parametrize(
    ("line", "last", "is_whole"),
    [
        (BackendResponse(text="a b"), "[DONE]", True),
        (BackendResponse(text="a b", done=False), '"usage"', True),
        (BackendResponse(text="a b", ends_after=2), '"content": "a"', False),
        (BackendResponse(text="a b", error_after=2), '{"error": {"message"', False),
        (BackendResponse(text="a b", error_after=2, error_form="flat"), '"object": "error"', False),
        (BackendResponse(text="a b", error_after=2, error_form="then_done"), "[DONE]", False),
        (BackendResponse(chunks=({"delta": {"x": 1}}, {"choices": [], "y": 2})), "[DONE]", True),
    ],
)
def test_how_a_stream_ends(line: BackendResponse, last: str, is_whole: bool) -> None:
    play = played(line)
    assert last in events(play.pieces)[-1]
    assert (play.delivers is not None, play.dies, play.stalls) == (is_whole, False, False)


def test_chunks_are_the_members_of_a_choice_or_whole() -> None:
    lines = ({"delta": {"x": 1}, "logprobs": None}, {"choices": [], "y": 2}, {"error": {"message": "m"}})
    first, second, third, usage, _ = played(BackendResponse(chunks=lines, usage={"rc": 0})).delivers
    assert first["choices"] == [{"index": 0, "delta": {"x": 1}, "logprobs": None, "finish_reason": None}]
    assert (second["choices"], second["y"], third) == ([], 2, {"error": {"message": "m"}})
    assert usage["usage"]["rc"] == 0


def test_the_pieces_of_a_body_that_drips_stay_apart() -> None:
    play = played(BackendResponse())
    length = (b"content-length", b"5")
    assert [length in list(cast(list[object], _start(play, n)["headers"])) for n in (None, 5)] == [False, True]
