"""What every part of the router shares, and the state that lives as long as the process."""

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.router import backends, errors
from rollout_conformance.rollout_server.router.affinity import Affinity
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.backend_client import Upstream
from rollout_conformance.rollout_server.router.backends import Fleet
from rollout_conformance.rollout_server.router.idempotency_cache import Replays
from rollout_conformance.rollout_server.router.key_store import Ledger
from rollout_conformance.rollout_server.router.metrics import Metrics
from rollout_conformance.rollout_server.router.rate_limit import Buckets, Taken, name_of
from rollout_conformance.rollout_server.router.settings import Settings

DECISIONS = 1000  # remembered for operators
draw = random.SystemRandom().random


@dataclass(slots=True)
class Kit:
    settings: Settings
    fleet: Fleet
    upstream: Upstream
    ledger: Ledger
    replays: Replays
    affinity: Affinity
    metrics: Metrics
    log: Any
    buckets: Buckets = field(default_factory=Buckets)
    decisions: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=DECISIONS))
    learning: asyncio.Lock = field(default_factory=asyncio.Lock)
    introduced: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    stopping: bool = False

    def stop(self) -> None:
        self.stopping = True

    def take(self, key: Key) -> Taken | None:
        """One request of this key. None where there is no limit."""
        if key.rps is None:
            return None
        now = time.monotonic()
        return self.buckets.of(name_of(key.id), key.rps, key.burst, now).take(now)

    def look(self, key: Key) -> Taken | None:
        if key.rps is None:
            return None
        now = time.monotonic()
        return self.buckets.of(name_of(key.id), key.rps, key.burst, now).look(now)

    def enter(self) -> None:
        """Take a place among the running requests. Whoever has one calls `leave`."""
        if self.stopping:
            raise errors.stopping()
        if self.running >= self.settings.max_concurrent:
            raise errors.overloaded()
        self.running += 1

    def leave(self) -> None:
        self.running -= 1


def create(settings: Settings) -> Kit:
    backends = [backends.create(spec) for spec in settings.backends]
    return Kit(
        settings=settings,
        fleet=Fleet(backends, remembers=settings.health_interval_s > 0),
        upstream=Upstream(settings.backend_timeout_s, settings.connect_timeout_s),
        ledger=Ledger(settings),
        replays=Replays(settings.replay_s, settings.replay_entries),
        affinity=Affinity(settings.affinity_entries),
        metrics=Metrics(),
        log=logs.create(settings.log_level),
    )
