"""A valid request and its answer: repeated from memory, or had from a backend."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.responses import Response

from rollout_conformance.rollout_server.router import api_keys, failover, stream_migration, usage
from rollout_conformance.rollout_server.router import idempotency_cache as memory
from rollout_conformance.rollout_server.router.app_state import Kit
from rollout_conformance.rollout_server.router.errors import RouterError
from rollout_conformance.rollout_server.router.failover import Opened
from rollout_conformance.rollout_server.router.idempotency_cache import Answer, Name, Slot
from rollout_conformance.rollout_server.router.request_lifecycle import Run
from rollout_conformance.rollout_server.router.request_validation import Asked
from rollout_conformance.rollout_server.router.responses import GONE, Streamed, answered
from rollout_conformance.rollout_server.router.streaming import Stream

MAX_KEPT = 4 * 2**20  # of one streamed answer
REPLAYED = {"X-Idempotent-Replay": "true"}


async def serve(kit: Kit, asked: Asked, name: Name | None) -> Response:
    """The same request of the same key is served once; the others get what the first one got."""
    if name is None:
        return await fresh(kit, asked, Keeping(kit))
    while True:
        slot, is_new = kit.replays.enter(name, memory.digest(asked.raw), time.monotonic())
        if is_new:
            keeping = Keeping(kit, name, slot)
            try:
                return await fresh(kit, asked, keeping)
            finally:
                if not keeping.goes_on:
                    keeping.release()
        await slot.done.wait()
        if slot.answer is not None:
            kit.metrics.replayed()
            return answered(replayed(slot.answer))


def replayed(answer: Answer) -> Answer:
    return Answer(answer.status, answer.body, answer.content_type, answer.headers | REPLAYED)


@dataclass(eq=False, slots=True)
class Keeping:
    """What becomes of an answer that may be asked for again. `goes_on`: a stream, which releases it at its end."""

    kit: Kit
    name: Name | None = None
    slot: Slot | None = None
    answer: Answer | None = None
    goes_on: bool = False
    body: bytearray = field(default_factory=bytearray)

    def release(self) -> None:
        if self.name is not None and self.slot is not None:
            self.kit.replays.leave(self.name, self.slot, self.answer, time.monotonic())


async def fresh(kit: Kit, asked: Asked, keeping: Keeping) -> Response:
    api_keys.check_budget(asked.key)
    hashes = failover.boundaries(kit, asked)
    found = await failover.choices(kit, asked, hashes)
    kit.enter()
    run = Run(kit, asked)
    try:
        await run.begin()
        migrates = asked.streams and stream_migration.is_wanted(asked.body)
        wish = usage.wish(asked.body, migrates) if asked.streams else None
        opened = await failover.open_first(run, found, failover.asking(run, wish), asked.streams)
        run.decided(opened.choice)
        kit.affinity.remember(hashes, opened.choice.backend.name)
        if opened.chunks is None:
            return whole(run, opened, keeping)
        rest = [choice for choice in found if choice.backend is not opened.choice.backend]
        progress = stream_migration.Progress() if migrates else None
        assert wish is not None
        keeping.goes_on = True
        return streamed(Stream(run, opened, wish, rest, progress), keeping)
    except RouterError as error:
        run.end(error.status, error.code)
        raise
    finally:
        if not keeping.goes_on:
            run.end(GONE, "client_gone")  # unless it ended before


def whole(run: Run, opened: Opened, keeping: Keeping) -> Response:
    opened.close()
    run.tally.saw(opened.answer)
    answer = Answer(opened.reply.status, opened.body, opened.reply.content_type, headers(opened))
    keeping.answer = answer
    run.end(answer.status, "answered" if answer.status < 400 else "refused")
    return answered(answer)


def headers(opened: Opened) -> dict[str, str]:
    routed = {"X-Routing-Backend": opened.choice.backend.name, "X-Routing-Decision": opened.choice.decision}
    after = opened.reply.retry_after
    return routed | ({"Retry-After": after} if after and opened.reply.status >= 400 else {})


def streamed(stream: Stream, keeping: Keeping) -> Response:
    told = headers(stream.opened)

    async def events() -> AsyncIterator[bytes]:
        async for event in stream.events():
            if len(keeping.body) <= MAX_KEPT:
                keeping.body += event
            yield event

    async def end() -> None:
        stream.close()
        if stream.finished and len(keeping.body) <= MAX_KEPT:
            keeping.answer = Answer(200, bytes(keeping.body), "text/event-stream", told)
        keeping.release()
        stream.run.end(GONE, "client_gone")

    return Streamed(events(), told, end)
