"""The event-stream parser: each vector whole, byte by byte, and with an unfinished event behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout_conformance.steps.sse.parser import Parser, SseEvent

VECTORS = [
    (b"data: a\n\n", [SseEvent("a")]),
    (b"data:a\ndata: b\n\n", [SseEvent("a\nb")]),
    (b"data:  a\n\n", [SseEvent(" a")]),
    (b"data\n\n", [SseEvent("")]),
    (b"\xef\xbb\xbfdata: a\n\n", [SseEvent("a")]),
    (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [SseEvent("a"), SseEvent("b"), SseEvent("c")]),
    (b": comment\ndata: a\n\n", [SseEvent("a")]),
    (b"event: e\ndata: a\n\ndata: b\n\n", [SseEvent("a", "e"), SseEvent("b")]),
    (b"event: e\n\ndata: b\n\n", [SseEvent("b")]),
    (b"id: 7\ndata: a\n\ndata: b\n\n", [SseEvent("a", id="7"), SseEvent("b", id="7")]),
    (b"id: 7\nid: x\0y\ndata: a\n\n", [SseEvent("a", id="7")]),
    (b"retry: 10\ndata: a\n\nretry: 1x\ndata: b\n\n", [SseEvent("a", retry=10), SseEvent("b")]),
    ("data: é🧮\n\n".encode(), [SseEvent("é🧮")]),
    (b"nonsense: x\ndata: a\n\n", [SseEvent("a")]),
    (b"data: [DONE]\n\n", [SseEvent("[DONE]")]),
]


@pytest.mark.parametrize(("stream", "events"), VECTORS)
def test_a_vector_three_ways(stream: bytes, events: list[SseEvent]) -> None:
    whole, single, trailing = Parser(), Parser(), Parser()
    assert whole.feed(stream) == events
    assert [event for n in range(len(stream)) for event in single.feed(stream[n : n + 1])] == events
    assert trailing.feed(stream + b"data: unfinished") == events
    assert whole.eof()
    assert not trailing.eof()


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n\ufeff", exclude_categories=["Cs"])), min_size=1), st.data()
)
def test_chunks_do_not_matter(texts: list[str], data: st.DataObject) -> None:
    stream = "".join(f"data: {text}\n\n" for text in texts).encode()
    cut = data.draw(st.integers(0, len(stream)))
    parser = Parser()
    assert parser.feed(stream[:cut]) + parser.feed(stream[cut:]) == [SseEvent(text) for text in texts]
