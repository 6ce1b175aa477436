"""What the backends say about themselves: whether they are well, and which models they serve."""

import asyncio
import time
from typing import Any

from rollout_conformance.rollout_server.router.backend_client import FailedError, Upstream
from rollout_conformance.rollout_server.router.backends import Backend, Fleet

AGAIN_S = 1.0  # a backend that did not tell its models is not asked more often, however many requests want them
STALE_S = 30.0


async def watch(fleet: Fleet, upstream: Upstream, interval_s: float, introduced: asyncio.Event) -> None:
    """Until cancelled. `introduced` is set when all were asked once."""
    while True:
        await asyncio.gather(*(probe(fleet, upstream, backend) for backend in fleet.backends))
        introduced.set()
        await asyncio.sleep(interval_s)


async def probe(fleet: Fleet, upstream: Upstream, backend: Backend) -> None:
    try:
        status, _ = await upstream.get(backend, "/health")
    except FailedError:
        fleet.failed(backend, gone=True)
        return
    if status < 500:  # a server without this path is well enough to say so
        fleet.answered(backend)
    else:
        fleet.failed(backend, gone=True)
    await ask_models(upstream, backend)


async def learn(fleet: Fleet, upstream: Upstream) -> None:
    """Ask every backend whose models are not known, or were asked for long ago."""
    now = time.monotonic()
    due = [backend for backend in fleet.backends if is_due(backend, now)]
    await asyncio.gather(*(ask_models(upstream, backend) for backend in due))


def is_due(backend: Backend, now: float) -> bool:
    if backend.spec.models is not None:
        return False
    return now - backend.asked_at > (AGAIN_S if backend.models is None else STALE_S)


async def ask_models(upstream: Upstream, backend: Backend) -> None:
    if backend.spec.models is not None:
        return
    backend.asked_at = time.monotonic()
    try:
        status, answer = await upstream.get(backend, "/v1/models")
    except FailedError:
        return  # what it told before still holds
    models = told(answer) if status == 200 else None
    if models is not None:
        backend.models = models


def told(answer: Any) -> dict[str, dict[str, Any]] | None:
    entries = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        return None
    return {entry["id"]: entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)}
