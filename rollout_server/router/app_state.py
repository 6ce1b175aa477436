"""What all requests of one router share."""

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.router import backend_pool, errors
from rollout_conformance.rollout_server.router.affinity import Affinity
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.backend_client import BackendClient
from rollout_conformance.rollout_server.router.backend_pool import BackendPool
from rollout_conformance.rollout_server.router.idempotency_cache import IdempotencyCache
from rollout_conformance.rollout_server.router.key_store import KeyStore
from rollout_conformance.rollout_server.router.metrics import Metrics
from rollout_conformance.rollout_server.router.rate_limit import LimitState, RateLimiter, bucket_name
from rollout_conformance.rollout_server.router.settings import Settings

DECISIONS = 1000  # kept for operators
draw = random.SystemRandom().random


@dataclass(slots=True)
class AppState:
    settings: Settings
    pool: BackendPool
    client: BackendClient
    key_store: KeyStore
    idempotency_cache: IdempotencyCache
    affinity: Affinity
    metrics: Metrics
    log: Any
    rate_limiter: RateLimiter = field(default_factory=RateLimiter)
    decisions: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=DECISIONS))
    discovering: asyncio.Lock = field(default_factory=asyncio.Lock)
    probed_once: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    stopping: bool = False

    @property
    def load(self) -> int:
        """The requests that run, in all processes of the router."""
        return self.running

    def close(self) -> None:
        """At the end of the process."""

    def stop(self) -> None:
        self.stopping = True

    def take(self, key: Key) -> LimitState | None:
        """Counts one request of this key. None without a limit."""
        if key.rps is None:
            return None
        now = time.monotonic()
        return self.rate_limiter.of(bucket_name(key.id), key.rps, key.burst, now).take(now)

    def peek(self, key: Key) -> LimitState | None:
        if key.rps is None:
            return None
        now = time.monotonic()
        return self.rate_limiter.of(bucket_name(key.id), key.rps, key.burst, now).peek(now)

    def enter(self) -> None:
        """Count one running request. Raises `ApiError` 503; the caller calls `leave` at its end."""
        if self.stopping:
            raise errors.stopping()
        if self.running >= self.settings.max_concurrent:
            raise errors.overloaded()
        self.running += 1

    def leave(self) -> None:
        self.running -= 1


def create_state(settings: Settings) -> AppState:
    backends = [backend_pool.create(spec) for spec in settings.backends]
    return AppState(
        pool=BackendPool(backends, probes=settings.health_interval_s > 0),
        key_store=KeyStore(settings),
        affinity=Affinity(settings.affinity_entries),
        **of_the_process(settings),
    )


def of_the_process(settings: Settings) -> dict[str, Any]:
    """The parts that each process of a router has for itself."""
    return {
        "settings": settings,
        "client": BackendClient(settings.backend_timeout_s, settings.connect_timeout_s),
        "idempotency_cache": IdempotencyCache(settings.replay_s, settings.replay_entries),
        "metrics": Metrics(),
        "log": logs.create(settings.log_level),
    }
