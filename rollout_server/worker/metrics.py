"""Prometheus metrics. Each worker has its own registry."""

from collections.abc import Callable
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from rollout_conformance.rollout_server.worker.jobs import Event, Token


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.began = monotonic()
        self._requests = Counter(
            "worker_requests", "Jobs that are over, by outcome", ["outcome"], registry=self.registry
        )
        self._prompt = Counter("worker_prompt_tokens", "Tokens of prompts", registry=self.registry)
        self._generated = Counter("worker_tokens", "Tokens that were sampled", registry=self.registry)
        self.gauge("worker_uptime_seconds", "Seconds since the start", self.uptime)

    def gauge(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        Gauge(name, help_text, registry=self.registry).set_function(value)

    def uptime(self) -> float:
        return monotonic() - self.began

    def accepted(self, prompt_tokens: int) -> None:
        self._prompt.inc(prompt_tokens)

    def generated(self, event: Event) -> None:
        if isinstance(event, Token):
            self._generated.inc()

    def finished(self, outcome: str) -> None:
        self._requests.labels(outcome).inc()

    def text(self) -> bytes:
        return generate_latest(self.registry)
