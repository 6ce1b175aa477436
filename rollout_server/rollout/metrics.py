"""Prometheus metrics. Each server has its own registry, and every label has a small, fixed set of values."""

from prometheus_client import Counter, Histogram

from rollout_conformance.rollout_server.common.metrics import ServerMetrics
from rollout_conformance.rollout_server.rollout.results import Result
from rollout_conformance.rollout_server.rollout.start_request import StartRequest

SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600)  # from a mock to the default deadline
REASONS = ("stop", "max_turns", "max_tokens", "length", "content_filter", "error")


class Metrics(ServerMetrics):
    def __init__(self) -> None:
        super().__init__()
        r = self.registry
        self._http = Counter("http_requests", "Requests answered", ["method", "endpoint", "status_code"], registry=r)
        self._started = Counter("rollouts_started", "Rollouts accepted", ["dialect"], registry=r)
        ended = ["dialect", "status", "finish_reason"]
        self._ended = Counter("rollouts_completed", "Rollouts ended", ended, registry=r)
        self._failed = Counter("rollouts_failed", "Rollouts ended with ERROR", ["error_category"], registry=r)
        self._seconds = Histogram("rollout_duration_seconds", "Without time in the queue", buckets=SECONDS, registry=r)
        self._queued = Histogram("rollout_queue_seconds", "Time in the queue", buckets=SECONDS, registry=r)
        self._llm = Counter("llm_requests", "Generations, by how they were answered", ["status"], registry=r)
        tokens = Counter("llm_tokens", "Tokens, as reported by trainers", ["type"], registry=r)
        self._prompt_tokens, self._response_tokens = tokens.labels("prompt"), tokens.labels("response")
        self._tools = Counter("tool_calls", "Tool calls", ["tool_name", "status"], registry=r)
        self._completions = Counter("completions", "Completion callbacks", ["result"], registry=r)
        self.count = 0

    def http(self, method: str, endpoint: str, status: int) -> None:
        self._http.labels(method, endpoint, status).inc()

    def started(self, start: StartRequest) -> None:
        self._started.labels(start.dialect).inc()

    def queued(self, seconds: float) -> None:
        self._queued.observe(seconds)

    def ended(self, start: StartRequest, result: Result) -> None:
        self.count += 1
        reason = result.finish_reason if result.finish_reason in REASONS else "other"
        self._ended.labels(start.dialect, result.status, reason).inc()
        self._seconds.observe(result.metrics["total_latency_ms"] / 1000)
        if result.error:
            self._failed.labels(result.error.category).inc()

    def llm_request(self, status: int) -> None:
        self._llm.labels(f"{status // 100}xx").inc()

    def llm_tokens(self, prompt: int, response: int) -> None:
        self._prompt_tokens.inc(prompt)
        self._response_tokens.inc(response)

    def tool(self, name: str, status: str) -> None:
        self._tools.labels(name, status).inc()

    def completion(self, result: str) -> None:
        self._completions.labels(result).inc()
