"""A stream from a backend to the client, counted event by event. Only a backend can end it with [DONE]."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.router import errors, failover, routing, stream_migration, usage
from rollout_conformance.rollout_server.router.backend_client import BackendError
from rollout_conformance.rollout_server.router.failover import OpenResponse
from rollout_conformance.rollout_server.router.request_lifecycle import RequestLifecycle
from rollout_conformance.rollout_server.router.routing import Choice
from rollout_conformance.rollout_server.router.stream_migration import NotResumableError, Progress
from rollout_conformance.rollout_server.router.usage import UsageOptions

MAX_EVENT = 16 * 2**20  # bytes, more than any chunk: an event without an end must not fill the memory


@dataclass(eq=False, slots=True)
class Stream:
    lifecycle: RequestLifecycle
    opened: OpenResponse
    usage_options: UsageOptions
    rest: list[Choice]  # backends that could resume it
    progress: Progress | None = None
    finished: bool = False
    closed: bool = field(default=False)

    async def events(self) -> AsyncIterator[bytes]:
        """The events for the client. They end with [DONE] only if a backend sent it."""
        while True:
            try:
                async for event in self._backend_chunks():
                    yield event
                if self.finished:
                    return
                raise BackendError("invalid")
            except BackendError as error:
                self.lifecycle.record_attempt(self.opened.choice, f"died_{error.failure}")
                self.lifecycle.app_state.pool.failed(self.opened.choice.backend, unreachable=error.failure == "connect")
            except NotResumableError:
                self.lifecycle.record_attempt(self.opened.choice, "lost")
            if not await self._migrate():
                self.lifecycle.end(200, "interrupted")
                yield interrupted_event()
                return

    async def _backend_chunks(self) -> AsyncIterator[bytes]:
        splitter = sse.Splitter()
        assert self.opened.chunks is not None
        async for chunk in self.opened.chunks:
            passed, lost = self._forward(splitter.feed(chunk))
            if passed:
                yield passed
            if lost is not None:
                raise lost
            if splitter.size > MAX_EVENT:
                raise BackendError("invalid")

    def _forward(self, events: list[bytes]) -> tuple[bytes, NotResumableError | None]:
        """Events that arrive together are sent together: a write for each would cost more than everything else."""
        passed = bytearray()
        for event in events:
            if sse.is_done(event):
                self.finished = True
                self.lifecycle.end(200, "answered")  # recorded before the client sees the end
                passed += event
                continue
            try:
                passed += self._visible_part(event) or b""
            except NotResumableError as error:
                return bytes(passed), error
        return bytes(passed), None

    def _visible_part(self, event: bytes) -> bytes | None:
        """The event byte for byte, unless the client must not see all of it."""
        if self.progress is None and b'"usage"' not in event:
            self.lifecycle.tokens.chunks += b'"choices"' in event
            return event
        text = sse.data(event)
        chunk = failover.parse_json(text) if text is not None else None
        return self._changed(event, chunk) if isinstance(chunk, dict) else event

    def _changed(self, event: bytes, chunk: dict[str, Any]) -> bytes | None:
        before: Any = chunk
        self.lifecycle.tokens.chunks += bool(chunk.get("choices"))
        merged_chunk: dict[str, Any] | None = chunk
        if self.progress is not None:
            if self.progress.switches:
                merged_chunk = stream_migration.merged_chunk(chunk, self.progress)
                # Counted for this backend alone; `merged_chunk` has the total.
                self.progress.update({**(merged_chunk or {}), "usage": chunk.get("usage")})
            else:
                self.progress.update(chunk)
        self.lifecycle.tokens.update(merged_chunk)
        visible_chunk = usage.visible_chunk(merged_chunk, self.usage_options) if merged_chunk is not None else None
        if visible_chunk is None:
            return None
        return event if visible_chunk is before else sse.event(visible_chunk)

    async def _migrate(self) -> bool:
        """Whether another backend resumes the stream. The failed one is closed in any case."""
        self.close()
        if self.progress is None or not self.progress.possible:
            return False
        while self.rest:
            choice = self.rest.pop(0)
            if not choice.backend.spec.continues:
                continue
            try:
                body = stream_migration.body(self.lifecycle.inference.body, self.progress)
                opened = await failover.open_one(
                    self.lifecycle, choice, failover.payload(usage.with_options(body, self.usage_options)), True
                )
            except NotResumableError:
                return False
            except BackendError as error:
                self.lifecycle.record_attempt(choice, error.failure)
                continue
            self.opened, self.closed = opened, False
            if opened.chunks is None or routing.is_failure(opened.reply.status):
                self.lifecycle.record_attempt(choice, "refused")
                self.close()
                continue
            self.lifecycle.record_attempt(choice, "continued")
            self.lifecycle.app_state.metrics.migrated()
            self.progress.next_backend()
            return True
        return False

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.opened.close()


def interrupted_event() -> bytes:
    error: ApiError = errors.interrupted()
    return sse.event(errors.envelope(error))
