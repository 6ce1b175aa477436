"""Try the backends in turn until one answers. Until then nothing was sent to the client, so the next one may be tried."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.router import (
    affinity,
    backend_client,
    errors,
    health,
    routing,
    usage,
)
from rollout_conformance.rollout_server.router.affinity import Boundary
from rollout_conformance.rollout_server.router.app_state import AppState, draw
from rollout_conformance.rollout_server.router.backend_client import BackendError, BackendReply
from rollout_conformance.rollout_server.router.errors import Failure
from rollout_conformance.rollout_server.router.request_lifecycle import RequestLifecycle
from rollout_conformance.rollout_server.router.request_validation import InferenceRequest
from rollout_conformance.rollout_server.router.routing import Choice


@dataclass(slots=True)
class OpenResponse:
    """A response of a backend: complete, or the first chunk of a stream."""

    choice: Choice
    reply: BackendReply
    body: bytes = b""
    answer: Any = None  # the body, if it is JSON
    chunks: AsyncIterator[bytes] | None = None

    def close(self) -> None:
        self.choice.backend.end()
        self.reply.close()


async def choices(app_state: AppState, inference: InferenceRequest, hashes: Sequence[Boundary]) -> list[Choice]:
    """Raises `ApiError` when no backend has the model."""
    found = routing.serving(app_state.pool.backends, inference.model)
    if not found:
        async with app_state.discovering:
            await health.discover_models(app_state.pool, app_state.client)
        found = routing.serving(app_state.pool.backends, inference.model)
    if not found:
        raise no_backend_error(app_state)
    app_state.pool.refresh()
    return routing.choices(found, preferred_backend(app_state, hashes), draw)


def no_backend_error(app_state: AppState) -> ApiError:
    """A model is unknown only if every backend has listed its models."""
    silent = any(backend.models is None for backend in app_state.pool.backends)
    return errors.all_backends_failed(["connect"]) if silent else errors.unknown_model()


def preferred_backend(app_state: AppState, hashes: Sequence[Boundary]) -> str | None:
    """The backend with the prefix in its cache, unless it is at its capacity."""
    name = app_state.affinity.find(hashes)
    known = app_state.pool.by_name.get(name) if name else None
    return name if known is not None and known.load < app_state.settings.backend_capacity else None


def boundaries(app_state: AppState, inference: InferenceRequest) -> list[Boundary]:
    return affinity.boundaries(inference.key.org, inference.body) if app_state.settings.affinity else []


async def open_first(
    lifecycle: RequestLifecycle, found: Sequence[Choice], body: Mapping[str, Any], streams: bool
) -> OpenResponse:
    """The first response that is not a failure. Raises `ApiError` when every backend failed."""
    failures: list[Failure] = []
    for choice in found:
        try:
            opened = await open_one(lifecycle, choice, payload(body), streams)
        except BackendError as error:
            lifecycle.record_attempt(choice, error.failure)
            lifecycle.app_state.pool.failed(choice.backend, unreachable=error.failure == "connect")
            failures.append(error.failure)
            continue
        lifecycle.record_attempt(choice, "answered")
        lifecycle.app_state.pool.answered(choice.backend)
        return opened
    raise errors.all_backends_failed(failures)


def payload(body: Mapping[str, Any]) -> bytes:
    """All members that the client sent."""
    return json_text.dumps(body)


async def open_one(lifecycle: RequestLifecycle, choice: Choice, body: bytes, streams: bool) -> OpenResponse:
    backend = choice.backend
    backend.begin()
    reply = None
    try:
        headers = backend_client.headers(lifecycle.inference, streams)
        reply = await lifecycle.app_state.client.ask(backend, lifecycle.inference.path, body, headers)
        if routing.is_failure(reply.status):
            raise BackendError("status")
        opened = OpenResponse(choice, reply)
        if reply.status < 300 and reply.content_type.lower().startswith("text/event-stream"):
            opened.chunks = await with_first_chunk(reply.chunks())
        else:
            opened.body = await reply.read_all(lifecycle.app_state.settings.reply_limit)
            opened.answer = parse_json(opened.body)
            check_answer(reply.status, opened.answer)
    except BaseException:
        backend.end()
        if reply is not None:
            reply.close()
        raise
    return opened


async def with_first_chunk(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks; raises `BackendError` if there is none."""
    first = await anext(chunks, None)
    if first is None:
        raise BackendError("invalid")
    return prepend(first, chunks)


async def prepend(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk


def check_answer(status: int, answer: Any) -> None:
    """A success is a JSON object; anything else does not come from an inference server."""
    if status < 300 and not isinstance(answer, dict):
        raise BackendError("invalid")


def parse_json(body: bytes) -> Any:
    try:
        return json_text.loads(body)
    except json_text.NotJsonError:
        return None


def request_body(lifecycle: RequestLifecycle, usage_options: usage.UsageOptions | None) -> dict[str, Any]:
    return (
        usage.with_options(lifecycle.inference.body, usage_options) if usage_options else dict(lifecycle.inference.body)
    )
