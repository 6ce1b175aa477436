"""A stream on its way from a backend to the client: event by event, counted, and never finished by the router itself."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.router import errors, failover, routing, stream_migration, usage
from rollout_conformance.rollout_server.router.backend_client import FailedError
from rollout_conformance.rollout_server.router.errors import RouterError
from rollout_conformance.rollout_server.router.failover import Opened
from rollout_conformance.rollout_server.router.request_lifecycle import Run
from rollout_conformance.rollout_server.router.routing import Choice
from rollout_conformance.rollout_server.router.stream_migration import LostError, Progress
from rollout_conformance.rollout_server.router.usage import Wish

MAX_EVENT = 16 * 2**20  # more than any chunk; a backend that never ends one must not fill the memory


@dataclass(eq=False, slots=True)
class Stream:
    run: Run
    opened: Opened
    wish: Wish
    rest: list[Choice]  # backends that could go on
    progress: Progress | None = None
    finished: bool = False
    closed: bool = field(default=False)

    async def events(self) -> AsyncIterator[bytes]:
        """What the client gets. It ends with [DONE] only if a backend said so."""
        while True:
            try:
                async for event in self._of_backend():
                    yield event
                if self.finished:
                    return
                raise FailedError("invalid")
            except FailedError as error:
                self.run.tried(self.opened.choice, f"died_{error.failure}")
                self.run.kit.fleet.failed(self.opened.choice.backend, gone=error.failure == "connect")
            except LostError:
                self.run.tried(self.opened.choice, "lost")
            if not await self._migrated():
                self.run.end(200, "interrupted")
                yield broken()
                return

    async def _of_backend(self) -> AsyncIterator[bytes]:
        splitter = sse.Splitter()
        assert self.opened.chunks is not None
        async for chunk in self.opened.chunks:
            passed, lost = self._of_chunk(splitter.feed(chunk))
            if passed:
                yield passed
            if lost is not None:
                raise lost
            if splitter.size > MAX_EVENT:
                raise FailedError("invalid")

    def _of_chunk(self, events: list[bytes]) -> tuple[bytes, LostError | None]:
        """What came together goes on together: a write for each event would cost more than all the rest."""
        passed = bytearray()
        for event in events:
            if sse.is_done(event):
                self.finished = True
                self.run.end(200, "answered")  # before the end is told: then it is on record
                passed += event
                continue
            try:
                passed += self._passed(event) or b""
            except LostError as error:
                return bytes(passed), error
        return bytes(passed), None

    def _passed(self, event: bytes) -> bytes | None:
        """The bytes as they came, unless something in them is not for the client."""
        if self.progress is None and b'"usage"' not in event:
            self.run.tally.chunks += b'"choices"' in event
            return event
        text = sse.data(event)
        chunk = failover.parsed(text) if text is not None else None
        return self._changed(event, chunk) if isinstance(chunk, dict) else event

    def _changed(self, event: bytes, chunk: dict[str, Any]) -> bytes | None:
        before: Any = chunk
        self.run.tally.chunks += bool(chunk.get("choices"))
        spliced: dict[str, Any] | None = chunk
        if self.progress is not None:
            if self.progress.turns:
                spliced = stream_migration.spliced(chunk, self.progress)
                # Counted for this backend alone; `spliced` already has the sum.
                self.progress.saw({**(spliced or {}), "usage": chunk.get("usage")})
            else:
                self.progress.saw(chunk)
        self.run.tally.saw(spliced)
        shown = usage.shown(spliced, self.wish) if spliced is not None else None
        if shown is None:
            return None
        return event if shown is before else sse.event(shown)

    async def _migrated(self) -> bool:
        """Whether another backend goes on. The one that failed is closed in any case."""
        self.close()
        if self.progress is None or not self.progress.possible:
            return False
        while self.rest:
            choice = self.rest.pop(0)
            if not choice.backend.spec.continues:
                continue
            try:
                body = stream_migration.body(self.run.asked.body, self.progress)
                opened = await failover.open_one(
                    self.run, choice, failover.payload(usage.asking(body, self.wish)), True
                )
            except LostError:
                return False
            except FailedError as error:
                self.run.tried(choice, error.failure)
                continue
            self.opened, self.closed = opened, False
            if opened.chunks is None or routing.is_failure(opened.reply.status):
                self.run.tried(choice, "refused")
                self.close()
                continue
            self.run.tried(choice, "continued")
            self.run.kit.metrics.migrated()
            self.progress.turn()
            return True
        return False

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.opened.close()


def broken() -> bytes:
    error: RouterError = errors.interrupted()
    return sse.event(errors.envelope(error))
