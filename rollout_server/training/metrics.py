"""Prometheus metrics. Each server has its own registry, and every label has a small, fixed set of values."""

from prometheus_client import Counter, Histogram

from rollout_conformance.rollout_server.common.metrics import ServerMetrics

SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10)


class Metrics(ServerMetrics):
    def __init__(self) -> None:
        super().__init__()
        r = self.registry
        self._http = Counter("training_requests", "Requests answered", ["endpoint", "status"], registry=r)
        self._commands = Counter("training_commands", "Commands, by how they ended", ["kind", "status"], registry=r)
        self._seconds = Histogram(
            "training_command_seconds",
            "From the turn of a command to its result",
            ["kind"],
            buckets=SECONDS,
            registry=r,
        )

    def http(self, endpoint: str, status: int) -> None:
        self._http.labels(endpoint, status).inc()

    def command(self, kind: str, status: str) -> None:
        self._commands.labels(kind, status).inc()

    def ran(self, kind: str, seconds: float) -> None:
        self._seconds.labels(kind).observe(seconds)
