"""Prometheus metrics with vLLM's names. Each server has its own registry."""

from prometheus_client import Counter, Gauge

from rollout_conformance.rollout_server.common.metrics import ServerMetrics

LABELS = ["engine", "model_name"]


class Metrics(ServerMetrics):
    def __init__(self, model: str) -> None:
        super().__init__()
        self._running = self._gauge("vllm:num_requests_running", "Requests being generated", model)
        self._waiting = self._gauge("vllm:num_requests_waiting", "Requests in the queue; there is no queue", model)
        self._prompt = self._counter("vllm:prompt_tokens", "Tokens of prompts", model)
        self._generated = self._counter("vllm:generation_tokens", "Tokens that were sampled", model)

    def _gauge(self, name: str, help_text: str, model: str) -> Gauge:
        return Gauge(name, help_text, LABELS, registry=self.registry).labels("0", model)

    def _counter(self, name: str, help_text: str, model: str) -> Counter:
        return Counter(name, help_text, LABELS, registry=self.registry).labels("0", model)

    def began(self, prompt_tokens: int) -> None:
        self._running.inc()
        self._prompt.inc(prompt_tokens)

    def ended(self) -> None:
        self._running.dec()

    def generated(self) -> None:
        self._generated.inc()
