"""Defects of what a stream holds: members of its chunks, its end, and the form of its events."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, after, around, put
from rollout_conformance.rollout_server.router import failover, streaming, usage
from rollout_conformance.rollout_server.router.backend_client import BackendError
from rollout_conformance.rollout_server.router.streaming import Stream
from rollout_conformance.rollout_server.router.usage import UsageOptions

Json = dict[str, object]
Visible = Callable[[Stream, bytes], bytes | None]
FINISH_REASONS = (None, "stop", "length", "tool_calls", "content_filter", "function_call")
STOP = {"index": 0, "delta": {}, "finish_reason": "stop"}
END = sse.event({"id": "chatcmpl-rc", "object": "chat.completion.chunk", "choices": [STOP]}) + sse.DONE_EVENT


def in_choices(change: Callable[[Json], Json]) -> Patch:
    """Change each choice of a chunk."""

    def visible(original: Visible, self: Stream, event: bytes) -> bytes | None:
        passed = original(self, event)
        text = sse.data(passed) if passed else None
        chunk = failover.parse_json(text) if text else None
        if not isinstance(chunk, dict) or not chunk.get("choices"):
            return passed
        changed = [change(choice) for choice in chunk["choices"]]
        return passed if changed == chunk["choices"] else sse.event({**chunk, "choices": changed})

    return around(Stream, "_visible_part", visible)


def _hidden_with_usage(
    original: Callable[[Json, UsageOptions], Json | None], chunk: Json, options: UsageOptions
) -> Json | None:
    """Any chunk with usage is taken for the one that has nothing else."""
    return None if isinstance(chunk.get("usage"), dict) and options.adds_final else original(chunk, options)


def _usage_of_its_own_chunk(
    original: Callable[[Json, UsageOptions], Json | None], chunk: Json, options: UsageOptions
) -> Json | None:
    """Usage is looked for in chunks without choices."""
    shown = original(chunk, options)
    if shown is None or not shown.get("choices"):
        return shown
    return {name: value for name, value in shown.items() if name != "usage"}


def _one_logprob(choice: Json) -> Json:
    """Each token of a chunk overwrites the one before."""
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    return {**choice, "logprobs": {**logprobs, "content": content[-1:]}} if content else choice  # type: ignore[dict-item]


def _end_lost_beside_usage(original: Visible, self: Stream, event: bytes) -> bytes | None:
    """Where the client requested usage, the chunk with the finish reason is lost."""
    chunk = failover.parse_json(sse.data(event) or b"null")
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    ends = isinstance(choices, list) and any(isinstance(c, dict) and c.get("finish_reason") for c in choices)
    return None if ends and self.usage_options.final else original(self, event)


def _feeds_packets(self: sse.Splitter, chunk: bytes) -> list[bytes]:
    """The end of an event is looked for within each packet."""
    start, events = 0, []
    searched = len(self._rest)
    self._rest += chunk
    while found := sse.END.search(self._rest, max(searched, start)):
        events.append(bytes(self._rest[start : found.end()]))
        start = found.end()
    del self._rest[:start]
    return events


def _without(member: str) -> Callable[[Json], Json]:
    return lambda choice: {name: value for name, value in choice.items() if name != member}


def _delta_without(member: str) -> Callable[[Json], Json]:
    def change(choice: Json) -> Json:
        delta = choice.get("delta")
        return {**choice, "delta": _without(member)(delta)} if isinstance(delta, dict) else choice

    return change


def _logprobs_of_text(choice: Json) -> Json:
    delta = choice.get("delta")
    return choice if isinstance(delta, dict) and delta.get("content") else _without("logprobs")(choice)


def _known_reason(choice: Json) -> Json:
    return choice if choice.get("finish_reason") in FINISH_REASONS else {**choice, "finish_reason": "stop"}


def _counts_only(chunk: Json | None) -> Json | None:
    counts = chunk.get("usage") if chunk else None
    if chunk is None or not isinstance(counts, dict):
        return chunk
    return {**chunk, "usage": {name: value for name, value in counts.items() if name.endswith("_tokens")}}


def _option_is_there(original: Callable[..., UsageOptions], body: Json, migrates: bool) -> UsageOptions:
    """`include_usage: false` is read as if its presence mattered."""
    options, found = body.get("stream_options"), original(body, migrates)
    is_there = isinstance(options, dict) and "include_usage" in options
    return replace(found, final=True, adds_final=True) if is_there and not found.final else found


async def _stops_at_the_end(original: Callable[[Stream], AsyncIterator[bytes]], self: Stream) -> AsyncIterator[bytes]:
    async for event in original(self):
        yield event
    if not self.finished:
        self.finished = True
        yield END


async def _nothing_is_done(original: Any, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A stream that ends without an event is complete, whatever its end."""
    try:
        first: AsyncIterator[bytes] = await original(chunks)
    except BackendError as error:
        if error.failure == "timeout":
            raise
        return failover.prepend(sse.DONE_EVENT, chunks)
    return first


def _error_is_the_end(original: Visible, self: Stream, event: bytes) -> bytes | None:
    text = sse.data(event)
    chunk = failover.parse_json(text) if text else None
    if not isinstance(chunk, dict) or ("error" not in chunk and chunk.get("object") != "error"):
        return original(self, event)
    self.finished = True
    return END


def _spaced(event: bytes) -> bytes | None:
    lines = [line.removeprefix(b"data: ") for line in sse.LINE.split(event) if line.startswith(b"data: ")]
    return b"\n".join(lines) if lines else None


def _no_comments(original: Visible, self: Stream, event: bytes) -> bytes | None:
    if any(line.startswith(b":") for line in sse.LINE.split(event)):
        raise BackendError("invalid")
    return original(self, event)


def _data_first(original: Visible, self: Stream, event: bytes) -> bytes | None:
    return original(self, event) if event.startswith((b"data:", b":")) else None


def _one_line(original: Visible, self: Stream, event: bytes) -> bytes | None:
    lines = [line for line in sse.LINE.split(event) if line.startswith(b"data:")]
    return original(self, lines[0] + b"\n\n" if len(lines) > 1 else event)


LOST_OF_DELTAS = {
    "tool_deltas_lost": "tool_calls",
    "function_call_deltas_lost": "function_call",
    "reasoning_deltas_lost": "reasoning",
    "reasoning_content_deltas_lost": "reasoning_content",
    "refusal_deltas_lost": "refusal",
}
LOST_OF_CHOICES = {"stream_logprobs_lost": "logprobs", "stream_token_ids_lost": "token_ids"}

MUTANTS = (
    *(
        Mutant(name, breaks="015", what=f"deltas of `{member}` are lost", patch=in_choices(_delta_without(member)))
        for name, member in LOST_OF_DELTAS.items()
    ),
    *(
        Mutant(name, breaks="015", what=f"`{member}` of chunks is lost", patch=in_choices(_without(member)))
        for name, member in LOST_OF_CHOICES.items()
    ),
    Mutant(
        "finish_with_usage_lost",
        breaks="015",
        also=("036",),
        what="a chunk that has usage beside its choices is lost where the client requested no usage",
        patch=around(usage, "visible_chunk", _hidden_with_usage),
    ),
    Mutant(
        "end_lost_beside_usage",
        breaks="015",
        also=("002", "036", "048"),
        what="the chunk with the finish reason is lost where the client requested usage",
        patch=around(Stream, "_visible_part", _end_lost_beside_usage),
    ),
    Mutant(
        "usage_beside_choices_lost",
        breaks="015",
        what="usage that was requested and stands beside choices is lost",
        patch=around(usage, "visible_chunk", _usage_of_its_own_chunk),
    ),
    Mutant(
        "one_logprob_of_a_chunk",
        breaks="015",
        what="of the logprobs of one chunk only the last is forwarded",
        patch=in_choices(_one_logprob),
    ),
    Mutant(
        "logprobs_without_text_lost",
        breaks="015",
        what="logprobs of chunks without text are lost",
        patch=in_choices(_logprobs_of_text),
    ),
    Mutant(
        "unknown_finish_reason_stop",
        breaks="015",
        what="an unknown finish reason of a stream becomes stop",
        patch=in_choices(_known_reason),
    ),
    Mutant(
        "stream_usage_typed",
        breaks="002",
        what="unknown members of the usage of a stream are dropped",
        patch=after(usage, "visible_chunk", _counts_only),
    ),
    Mutant(
        "usage_false_flipped",
        breaks="015",
        what="include_usage: false is taken for true",
        patch=around(usage, "options_of", _option_is_there),
    ),
    Mutant(
        "early_end_stop",
        breaks="007",
        what="a stream that ends in order without a finish reason is completed with stop",
        patch=around(Stream, "_backend_chunks", _stops_at_the_end),
    ),
    Mutant(
        "empty_stream_ok",
        breaks="007",
        what="a stream that ends before its first event is answered with [DONE]",
        patch=around(failover, "with_first_chunk", _nothing_is_done),
    ),
    Mutant(
        "error_event_stop",
        breaks="007",
        what="an error event of a backend becomes an empty stop",
        patch=around(Stream, "_visible_part", _error_is_the_end),
    ),
    Mutant(
        "events_end_in_lf_only",
        breaks="066",
        what="events that end in CRLF or CR are not found",
        patch=put(sse, "END", re.compile(rb"\n\n")),
    ),
    Mutant(
        "events_joined_at_packets",
        breaks="015",
        also=("*",),
        what="two events are one where a packet ends between their line ends",
        patch=put(sse.Splitter, "feed", _feeds_packets),
    ),
    Mutant("data_needs_space", breaks="066", what="`data:` needs a space after it", patch=put(sse, "data", _spaced)),
    Mutant(
        "comments_end_streams",
        breaks="066",
        what="a comment of a backend interrupts the stream",
        patch=around(Stream, "_visible_part", _no_comments),
    ),
    Mutant(
        "events_begin_with_data",
        breaks="066",
        what="events whose first field is not `data` are dropped",
        patch=around(Stream, "_visible_part", _data_first),
    ),
    Mutant(
        "first_data_line_only",
        breaks="066",
        what="only the first line of data is forwarded",
        patch=around(Stream, "_visible_part", _one_line),
    ),
    Mutant(
        "large_events_end_streams",
        breaks="068",
        also=("015",),
        what="an event of more than 128 KiB interrupts the stream",
        patch=put(streaming, "MAX_EVENT", 2**17),
    ),
)
