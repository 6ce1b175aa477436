"""From a valid request to its response: from the cache, or from a backend."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.responses import Response

from rollout_conformance.rollout_server.common.disconnect import CLIENT_CLOSED_REQUEST
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.router import api_keys, failover, idempotency_cache, stream_migration, usage
from rollout_conformance.rollout_server.router.app_state import AppState
from rollout_conformance.rollout_server.router.failover import OpenResponse
from rollout_conformance.rollout_server.router.idempotency_cache import CacheKey, Entry, StoredResponse
from rollout_conformance.rollout_server.router.request_lifecycle import RequestLifecycle
from rollout_conformance.rollout_server.router.request_validation import InferenceRequest
from rollout_conformance.rollout_server.router.responses import EventStream, to_response
from rollout_conformance.rollout_server.router.streaming import Stream

MAX_KEPT = 4 * 2**20  # bytes of one streamed response
REPLAYED = {"X-Idempotent-Replay": "true"}


async def serve(app_state: AppState, inference: InferenceRequest, key: CacheKey | None) -> Response:
    """A request is served once; repetitions with the same cache key get the same response."""
    if key is None:
        return await serve_new(app_state, inference, ResponseCaching(app_state))
    while True:
        entry, is_new = app_state.idempotency_cache.enter(
            key, idempotency_cache.digest(inference.raw), time.monotonic()
        )
        if is_new:
            caching = ResponseCaching(app_state, key, entry)
            try:
                return await serve_new(app_state, inference, caching)
            finally:
                if not caching.is_stream:
                    caching.release()
        await entry.done.wait()
        if entry.response is not None:
            app_state.metrics.replayed()
            return to_response(replayed(entry.response))


def replayed(answer: StoredResponse) -> StoredResponse:
    return StoredResponse(answer.status, answer.body, answer.content_type, answer.headers | REPLAYED)


@dataclass(eq=False, slots=True)
class ResponseCaching:
    """Stores the response for repetitions of the request. `is_stream`: a stream, which calls `release` at its end."""

    app_state: AppState
    key: CacheKey | None = None
    entry: Entry | None = None
    answer: StoredResponse | None = None
    is_stream: bool = False
    body: bytearray = field(default_factory=bytearray)

    def release(self) -> None:
        if self.key is not None and self.entry is not None:
            self.app_state.idempotency_cache.leave(self.key, self.entry, self.answer, time.monotonic())


async def serve_new(app_state: AppState, inference: InferenceRequest, caching: ResponseCaching) -> Response:
    api_keys.check_budget(inference.key)
    hashes = failover.boundaries(app_state, inference)
    found = await failover.choices(app_state, inference, hashes)
    app_state.enter()
    lifecycle = RequestLifecycle(app_state, inference)
    try:
        await lifecycle.begin()
        migrates = inference.streams and stream_migration.is_wanted(inference.body)
        usage_options = usage.options_of(inference.body, migrates) if inference.streams else None
        opened = await failover.open_first(
            lifecycle, found, failover.request_body(lifecycle, usage_options), inference.streams
        )
        lifecycle.record_decision(opened.choice)
        app_state.affinity.remember(hashes, opened.choice.backend.name)
        if opened.chunks is None:
            return complete(lifecycle, opened, caching)
        rest = [choice for choice in found if choice.backend is not opened.choice.backend]
        progress = stream_migration.Progress() if migrates else None
        assert usage_options is not None
        caching.is_stream = True
        return streamed(Stream(lifecycle, opened, usage_options, rest, progress), caching)
    except ApiError as error:
        lifecycle.end(error.status, error.code)
        raise
    finally:
        if not caching.is_stream:
            lifecycle.end(CLIENT_CLOSED_REQUEST, "client_gone")  # without effect if it ended before


def complete(lifecycle: RequestLifecycle, opened: OpenResponse, caching: ResponseCaching) -> Response:
    opened.close()
    lifecycle.tokens.update(opened.answer)
    answer = StoredResponse(opened.reply.status, opened.body, opened.reply.content_type, headers(opened))
    caching.answer = answer
    lifecycle.end(answer.status, "answered" if answer.status < 400 else "refused")
    return to_response(answer)


def headers(opened: OpenResponse) -> dict[str, str]:
    routed = {"X-Routing-Backend": opened.choice.backend.name, "X-Routing-Decision": opened.choice.decision}
    after = opened.reply.retry_after
    return routed | ({"Retry-After": after} if after and opened.reply.status >= 400 else {})


def streamed(stream: Stream, caching: ResponseCaching) -> Response:
    response_headers = headers(stream.opened)

    async def events() -> AsyncIterator[bytes]:
        async for event in stream.events():
            if len(caching.body) <= MAX_KEPT:
                caching.body += event
            yield event

    async def end() -> None:
        stream.close()
        if stream.finished and len(caching.body) <= MAX_KEPT:
            caching.answer = StoredResponse(200, bytes(caching.body), "text/event-stream", response_headers)
        caching.release()
        stream.lifecycle.end(CLIENT_CLOSED_REQUEST, "client_gone")

    return EventStream(events(), response_headers, end)
