"""Prometheus metrics. Each worker has its own registry."""

from time import monotonic

from prometheus_client import Counter

from rollout_conformance.rollout_server.common.metrics import ServerMetrics
from rollout_conformance.rollout_server.worker.jobs import Event, Token


class Metrics(ServerMetrics):
    def __init__(self) -> None:
        super().__init__()
        self.began = monotonic()
        self._requests = Counter(
            "worker_requests", "Jobs that are over, by outcome", ["outcome"], registry=self.registry
        )
        self._prompt = Counter("worker_prompt_tokens", "Tokens of prompts", registry=self.registry)
        self._generated = Counter("worker_tokens", "Tokens that were sampled", registry=self.registry)
        self.gauge("worker_uptime_seconds", "Seconds since the start", self.uptime)

    def uptime(self) -> float:
        return monotonic() - self.began

    def accepted(self, prompt_tokens: int) -> None:
        self._prompt.inc(prompt_tokens)

    def generated(self, event: Event) -> None:
        if isinstance(event, Token):
            self._generated.inc()

    def finished(self, outcome: str) -> None:
        self._requests.labels(outcome).inc()
