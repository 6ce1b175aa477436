"""Defects of streams: held back, cut, ended with a lie, or going on when nobody reads."""

from collections.abc import AsyncIterator
from typing import Any

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.mutants.framework import around, put
from rollout_conformance.rollout_server.mutants.router.planting import mutant
from rollout_conformance.rollout_server.router import failover, responses, stream_migration, usage
from rollout_conformance.rollout_server.router import streaming as target
from rollout_conformance.rollout_server.router.streaming import Stream

DELTA = {"role", "content"}


async def _at_once(original: Any, self: Stream) -> AsyncIterator[bytes]:
    for event in [event async for event in original(self)]:
        yield event


async def _over_again(self: Stream) -> bool:
    """Another backend begins anew, behind what the client has already."""
    self.close()
    if not self.rest:
        return False
    body = failover.payload(usage.asking(self.run.asked.body, self.wish))
    self.opened, self.closed = await failover.open_one(self.run, self.rest.pop(0), body, True), False
    return self.opened.chunks is not None


async def _deaf(receive: Any, work: Any) -> Any:
    return await work


def _plain(original: Any, self: Stream, event: bytes) -> bytes | None:
    passed: bytes | None = original(self, event)
    text = sse.data(passed) if passed else None
    chunk = failover.parsed(text) if text else None
    if not isinstance(chunk, dict) or not chunk.get("choices"):
        return passed
    deltas = [{n: v for n, v in c.get("delta", {}).items() if n in DELTA} for c in chunk["choices"]]
    choices = [{**c, "delta": delta} for c, delta in zip(chunk["choices"], deltas, strict=True)]
    return sse.event({**chunk, "choices": choices})


def _without_usage(chunk: dict[str, Any], wish: Any) -> dict[str, Any] | None:
    return {n: v for n, v in chunk.items() if n != "usage"} if chunk.get("choices") else None


def _from_the_start(body: Any, progress: Any) -> dict[str, Any]:
    return dict(body)


MUTANTS = (
    mutant(
        "stream_buffered",
        "everything is held back to the end",
        around(Stream, "events", _at_once),
        "014",
        ("008", "058"),
    ),
    mutant(
        "stream_done_invented",
        "a part is told as a whole",
        put(target, "broken", lambda: b"data: [DONE]\n\n"),
        "007",
    ),
    mutant("stream_cut_silently", "nothing tells that it broke", put(target, "broken", lambda: b": \n\n"), "007"),
    mutant("failover_after_bytes", "text comes twice", put(Stream, "_migrated", _over_again), "007", ("036",)),
    mutant(
        "migration_repeats", "what was said is asked for again", put(stream_migration, "body", _from_the_start), "036"
    ),
    mutant(
        "migration_loses_spaces",
        "words run together after the change",
        around(stream_migration, "without_owed", lambda original, *arguments: original(*arguments).strip()),
        "036",
    ),
    mutant(
        "migration_counts_a_part",
        "usage is that of the last backend",
        put(stream_migration, "summed", lambda usage, _: dict(usage)),
        "036",
    ),
    mutant("disconnect_ignored", "the backend works for nobody", put(responses, "until_gone", _deaf), "008"),
    mutant("drops_stream_fields", "only some members of deltas come", around(Stream, "_passed", _plain), "002"),
    mutant("usage_chunk_shown", "usage that nobody asked for", put(usage, "shown", lambda chunk, _: chunk), "015"),
    mutant(
        "usage_chunk_lost",
        "usage that was asked for is lost",
        put(usage, "shown", _without_usage),
        "015",
        ("036", "048"),
    ),
)
