"""Defects of the order and the bodies of the events of `orcd`."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, every, put
from rollout_conformance.rollout_server.mutants.worker.patches import ORCD, Body, body, changed, member, without
from rollout_conformance.rollout_server.worker import orcd_events
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Token
from rollout_conformance.rollout_server.worker.orcd_events import OrcdStream

Original = Callable[[OrcdStream, Event], Iterator[bytes]]
STALE = "2001-01-01T00:00:00.000Z"


def _nothing(self: OrcdStream) -> Iterator[bytes]:
    return iter(())


def _token_first(original: Original, self: OrcdStream, happened: Event) -> Iterator[bytes]:
    yield from original(self, happened)
    if isinstance(happened, Token) and happened.i == 0:
        yield orcd_events.event(orcd_events.started(self))


def _without_end(original: Original, self: OrcdStream, happened: Event) -> Iterator[bytes]:
    written = [*original(self, happened)]
    yield from written[:-1] if isinstance(happened, Ended) else written


def _end_twice(original: Original, self: OrcdStream, happened: Event) -> Iterator[bytes]:
    yield from original(self, happened)
    if isinstance(happened, Ended):
        yield orcd_events.event(orcd_events.end(happened))


def _metrics_last(original: Original, self: OrcdStream, happened: Event) -> Iterator[bytes]:
    written = [*original(self, happened)]
    yield from reversed(written) if isinstance(happened, Ended) else written


def _narrated(original: Original, self: OrcdStream, happened: Event) -> Iterator[bytes]:
    if isinstance(happened, Token) and happened.i == 1:
        yield orcd_events.event({"type": "narration", "message": "The worker generates"})
    yield from original(self, happened)


def _started_again(original: Original, self: OrcdStream, happened: Event) -> Iterator[bytes]:
    if isinstance(happened, Token) and happened.i == 1:
        yield orcd_events.event(orcd_events.started(self))
    yield from original(self, happened)


def _once_repeated(original: Any, stream: OrcdStream, token: Token) -> Body:
    return dict(original(stream, replace(token, i=1) if token.i == 2 else token))


def _with_gap(original: Any, stream: OrcdStream, token: Token) -> Body:
    return dict(original(stream, replace(token, i=token.i + (token.i > 1))))


def _misnamed(original: Any, body: Body) -> bytes:
    name = str(body["type"]).encode()
    written: bytes = original(body)
    return written.replace(b"event: " + name, b"event: " + (b"delta" if name == b"token" else name), 1)


def _data_cut(original: Any, body: Body) -> bytes:
    written: bytes = original(body)
    return written.replace(b"}\n\n", b"\n\n", 1) if body["type"] == "token" and body["i"] == 1 else written


MUTANTS = (
    Mutant(
        "started_other_job",
        breaks="002",
        what="started has another job_id",
        patch=body("started", lambda started: started | {"job_id": f"{started['job_id']}-1"}),
        dialects=ORCD,
    ),
    Mutant(
        "started_missing",
        breaks="002",
        also=("036",),
        what="the stream begins with a token",
        patch=put(OrcdStream, "opening", _nothing),
        dialects=ORCD,
    ),
    Mutant(
        "started_second",
        breaks="002",
        what="started follows the first token",
        patch=every(put(OrcdStream, "opening", _nothing), around(OrcdStream, "event", _token_first)),
        dialects=ORCD,
    ),
    Mutant(
        "started_at_zero",
        breaks="003",
        what="started_at is no time",
        patch=body("started", member("started_at", "0")),
        dialects=ORCD,
    ),
    Mutant(
        "started_at_stale",
        breaks="003",
        what="started_at is years ago",
        patch=body("started", member("started_at", STALE)),
        dialects=ORCD,
    ),
    Mutant(
        "model_unnamed",
        breaks="004",
        what="started names another model",
        patch=body("started", member("model", "default")),
        dialects=ORCD,
    ),
    Mutant(
        "no_end",
        breaks="005",
        what="the stream closes without end",
        patch=around(OrcdStream, "event", _without_end),
        dialects=ORCD,
    ),
    Mutant(
        "end_twice",
        breaks="006",
        also=("005",),
        what="end is sent twice",
        patch=around(OrcdStream, "event", _end_twice),
        dialects=ORCD,
    ),
    Mutant(
        "metrics_last",
        breaks="006",
        also=("005",),
        what="metrics follow end",
        patch=around(OrcdStream, "event", _metrics_last),
        dialects=ORCD,
    ),
    Mutant(
        "narration",
        breaks="007",
        what="an event of an unknown type between the tokens",
        patch=around(OrcdStream, "event", _narrated),
        dialects=ORCD,
    ),
    Mutant(
        "started_again",
        breaks="007",
        what="started is sent again between the tokens",
        patch=around(OrcdStream, "event", _started_again),
        dialects=ORCD,
    ),
    Mutant(
        "index_from_one",
        breaks="008",
        what="the first token has the index 1",
        patch=body("token", changed("i", lambda i: i + 1)),
        dialects=ORCD,
    ),
    Mutant(
        "index_repeated",
        breaks="008",
        what="two tokens have the same index",
        patch=around(orcd_events, "token", _once_repeated),
        dialects=ORCD,
    ),
    Mutant(
        "index_gap",
        breaks="008",
        what="an index is left out",
        patch=around(orcd_events, "token", _with_gap),
        dialects=ORCD,
    ),
    Mutant(
        "tokens_out_short",
        breaks="009",
        also=("012",),
        what="tokens_out is one less than the tokens",
        patch=body("end", changed("tokens_out", lambda count: count - 1)),
        dialects=ORCD,
    ),
    Mutant(
        "event_misnamed",
        breaks="010",
        what="the event names of tokens are not their types",
        patch=around(orcd_events, "event", _misnamed),
        dialects=ORCD,
    ),
    Mutant(
        "data_cut",
        breaks="011",
        what="the data of one token is no JSON",
        patch=around(orcd_events, "event", _data_cut),
        dialects=ORCD,
    ),
    Mutant(
        "matched_always",
        breaks="014",
        what="stop_sequence_matched is there for every reason",
        patch=after(orcd_events, "end", lambda end: {"stop_sequence_matched": "\n"} | end),
        dialects=ORCD,
    ),
    Mutant(
        "matched_missing",
        breaks="013",
        what="end does not name the stop text that matched",
        patch=body("end", without("stop_sequence_matched")),
        dialects=ORCD,
    ),
    Mutant(
        "reason_in_capitals",
        breaks="019",
        also=("012", "013"),
        what="stop_reason is spelt in capitals",
        patch=body("end", changed("stop_reason", str.upper)),
        dialects=ORCD,
    ),
    Mutant(
        "rate_negative",
        breaks="061",
        what="tokens_per_sec is negative",
        patch=body("metrics", member("tokens_per_sec", -1.0)),
        dialects=ORCD,
    ),
    Mutant(
        "time_constant",
        breaks="063",
        what="decode_time_ms is an hour for every job",
        patch=body("end", member("decode_time_ms", 3_600_000.0)),
        dialects=ORCD,
    ),
)
