"""Probes of the backends: whether they are healthy, and which models they serve."""

import asyncio
import time
from typing import Any

from rollout_conformance.rollout_server.router.backend_client import BackendClient, BackendError
from rollout_conformance.rollout_server.router.backend_pool import Backend, BackendPool

AGAIN_S = 1.0  # a backend that did not list its models is not asked more often, however many requests need them
STALE_S = 30.0


async def watch(pool: BackendPool, client: BackendClient, interval_s: float, probed_once: asyncio.Event) -> None:
    """Until cancelled. `probed_once` is set after the first probe of all."""
    while True:
        await asyncio.gather(*(probe(pool, client, backend) for backend in pool.backends))
        probed_once.set()
        await asyncio.sleep(interval_s)


async def probe(pool: BackendPool, client: BackendClient, backend: Backend) -> None:
    try:
        status, _ = await client.get(backend, "/health")
    except BackendError:
        pool.failed(backend, unreachable=True)
        return
    if status < 500:  # 404: a server without this path is healthy
        pool.answered(backend)
    else:
        pool.failed(backend, unreachable=True)
    await ask_models(client, backend)


async def discover_models(pool: BackendPool, client: BackendClient) -> None:
    """Request the models of every backend where they are unknown or old."""
    now = time.monotonic()
    due = [backend for backend in pool.backends if is_due(backend, now)]
    await asyncio.gather(*(ask_models(client, backend) for backend in due))


def is_due(backend: Backend, now: float) -> bool:
    if backend.spec.models is not None:
        return False
    return now - backend.asked_at > (AGAIN_S if backend.models is None else STALE_S)


async def ask_models(client: BackendClient, backend: Backend) -> None:
    if backend.spec.models is not None:
        return
    backend.asked_at = time.monotonic()
    try:
        status, answer = await client.get(backend, "/v1/models")
    except BackendError:
        return  # its last list stays valid
    models = parse_models(answer) if status == 200 else None
    if models is not None:
        backend.models = models


def parse_models(answer: Any) -> dict[str, dict[str, Any]] | None:
    entries = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        return None
    return {entry["id"]: entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)}
