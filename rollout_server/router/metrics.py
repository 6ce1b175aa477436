"""Prometheus metrics. Each router has its own registry, and every label has a small, fixed set of values."""

from collections.abc import Mapping
from functools import partial
from operator import attrgetter

from prometheus_client import Counter, Gauge, Histogram

from rollout_conformance.rollout_server.common.metrics import ServerMetrics
from rollout_conformance.rollout_server.router.backend_pool import Backend

SECONDS = (0.05, 0.1, 0.3, 1, 3, 10, 30, 60, 120)  # from a replayed response to the default timeout


class Metrics(ServerMetrics):
    def __init__(self) -> None:
        super().__init__()
        r = self.registry
        self._http = Counter("router_requests", "Requests answered", ["endpoint", "status"], registry=r)
        self._attempts = Counter("router_backend_attempts", "By how they ended", ["backend", "outcome"], registry=r)
        self._ended = Counter("router_inference", "Routed requests, by how they ended", ["outcome"], registry=r)
        self._tokens = Counter("router_tokens", "Tokens, as backends counted them", ["type"], registry=r)
        self._seconds = Histogram("router_inference_seconds", "Routed requests", buckets=SECONDS, registry=r)
        self._migrations = Counter("router_migrations", "Streams resumed on another backend", registry=r)
        self._replays = Counter("router_replays", "Replayed responses", registry=r)

    def backends(self, named: Mapping[str, Backend]) -> None:
        running = Gauge("router_backend_running", "Requests that run on a backend", ["backend"], registry=self.registry)
        for name, backend in named.items():
            running.labels(name).set_function(partial(attrgetter("running"), backend))

    def http(self, endpoint: str, status: int) -> None:
        self._http.labels(endpoint, status).inc()

    def attempt(self, backend: str, outcome: str) -> None:
        self._attempts.labels(backend, outcome).inc()

    def ended(self, outcome: str, seconds: float, prompt: int, completion: int) -> None:
        self._ended.labels(outcome).inc()
        self._seconds.observe(seconds)
        self._tokens.labels("prompt").inc(prompt)
        self._tokens.labels("completion").inc(completion)

    def migrated(self) -> None:
        self._migrations.inc()

    def replayed(self) -> None:
        self._replays.inc()
