"""What a stream has outside its events is shown, as clients do not read it."""

import pytest

from rollout_conformance.steps.sse.streams import Chunk, StreamedResponse

STREAM = (("content-type", "text/event-stream; charset=utf-8"),)
ASSEMBLED = {"object": "chat.completion", "choices": []}


def response(raw: bytes, *chunks: Chunk) -> StreamedResponse:
    return StreamedResponse("r", 0, {"stream": True}, 200, ASSEMBLED, chunks, raw=raw, headers=STREAM)


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b'{"error_code":1}\n\n\n', ['{"error_code":1}']),
        (b"data: {}\n\n: comment\nevent: x\nid: 1\nretry:2\ndata\n\n", []),
        (b"data: 1\n\noops\n\n", ["oops"]),
    ],
)
def test_a_line_without_a_field_is_outside_of_the_events(raw: bytes, lines: list[str]) -> None:
    assert response(raw).outside_events == lines


def test_a_stream_without_events_is_shown_as_it_was_sent() -> None:
    assert response(b'{"error_code":1}').shown() == '200: a stream without events: "{\\"error_code\\":1}"'
    assert "without events" not in response(b"data: 1\n\n", Chunk(0.0, 1)).shown()
