"""Ask the backends in turn until one answers. Until then the client has seen nothing, so the next one may be tried."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.router import (
    affinity,
    app_state,
    backend_client,
    errors,
    health,
    routing,
    usage,
)
from rollout_conformance.rollout_server.router.affinity import Boundary
from rollout_conformance.rollout_server.router.app_state import Kit
from rollout_conformance.rollout_server.router.backend_client import FailedError, Reply
from rollout_conformance.rollout_server.router.errors import Failure
from rollout_conformance.rollout_server.router.request_lifecycle import Run
from rollout_conformance.rollout_server.router.request_validation import Asked
from rollout_conformance.rollout_server.router.routing import Choice


@dataclass(slots=True)
class Opened:
    """A backend that answers: with everything, or with the first part of a stream."""

    choice: Choice
    reply: Reply
    body: bytes = b""
    answer: Any = None  # what the body says, if it is JSON
    chunks: AsyncIterator[bytes] | None = None

    def close(self) -> None:
        self.choice.backend.running -= 1
        self.reply.close()


async def choices(kit_: Kit, asked: Asked, hashes: Sequence[Boundary]) -> list[Choice]:
    """Raises `RouterError` when no backend has the model."""
    found = routing.serving(kit_.fleet.backends, asked.model)
    if not found:
        async with kit_.learning:
            await health.learn(kit_.fleet, kit_.upstream)
        found = routing.serving(kit_.fleet.backends, asked.model)
    if not found:
        raise missing(kit_)
    return routing.choices(found, preferred(kit_, hashes), app_state.draw)


def missing(kit_: Kit) -> errors.RouterError:
    """A model that a silent backend may have is not unknown."""
    silent = any(backend.models is None for backend in kit_.fleet.backends)
    return errors.unserved(["connect"]) if silent else errors.unknown_model()


def preferred(kit_: Kit, hashes: Sequence[Boundary]) -> str | None:
    """The backend that has the beginning in its cache, unless so much runs there that another one is quicker without it."""
    name = kit_.affinity.find(hashes)
    known = kit_.fleet.by_name.get(name) if name else None
    return name if known is not None and known.running < kit_.settings.backend_capacity else None


def boundaries(kit_: Kit, asked: Asked) -> list[Boundary]:
    return affinity.boundaries(asked.key.org, asked.body) if kit_.settings.affinity else []


async def open_first(run: Run, found: Sequence[Choice], body: Mapping[str, Any], streams: bool) -> Opened:
    """The first answer that is one. Raises `RouterError` when every backend failed."""
    failures: list[Failure] = []
    for choice in found:
        try:
            opened = await open_one(run, choice, payload(body), streams)
        except FailedError as error:
            run.tried(choice, error.failure)
            run.kit.fleet.failed(choice.backend, gone=error.failure == "connect")
            failures.append(error.failure)
            continue
        run.tried(choice, "answered")
        run.kit.fleet.answered(choice.backend)
        return opened
    raise errors.unserved(failures)


def payload(body: Mapping[str, Any]) -> bytes:
    """Everything the client sent, written once more."""
    return json_text.dumps(body)


async def open_one(run: Run, choice: Choice, body: bytes, streams: bool) -> Opened:
    backend = choice.backend
    backend.running += 1
    reply = None
    try:
        headers = backend_client.headers(run.asked, streams)
        reply = await run.kit.upstream.ask(backend, run.asked.path, body, headers)
        if routing.is_failure(reply.status):
            raise FailedError("status")
        opened = Opened(choice, reply)
        if reply.status < 300 and reply.content_type.lower().startswith("text/event-stream"):
            opened.chunks = await begun(reply.chunks())
        else:
            opened.body = await reply.whole(run.kit.settings.reply_limit)
            opened.answer = parsed(opened.body)
            check_answer(reply.status, opened.answer)
    except BaseException:
        backend.running -= 1
        if reply is not None:
            reply.close()
        raise
    return opened


async def begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, of which there is at least one."""
    first = await anext(chunks, None)
    if first is None:
        raise FailedError("invalid")
    return preceded(first, chunks)


async def preceded(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk


def check_answer(status: int, answer: Any) -> None:
    """A success is a JSON object; anything else comes from something that is no backend."""
    if status < 300 and not isinstance(answer, dict):
        raise FailedError("invalid")


def parsed(body: bytes) -> Any:
    try:
        return json_text.loads(body)
    except json_text.NotJsonError:
        return None


def asking(run: Run, wish: usage.Wish | None) -> dict[str, Any]:
    return usage.asking(run.asked.body, wish) if wish else dict(run.asked.body)
