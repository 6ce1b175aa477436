"""One admitted request until it is recorded. It ends exactly once, whatever happens."""

import time
from dataclasses import dataclass, field

from rollout_conformance.rollout_server.router.app_state import AppState
from rollout_conformance.rollout_server.router.request_validation import InferenceRequest
from rollout_conformance.rollout_server.router.routing import Choice
from rollout_conformance.rollout_server.router.usage import TokenUsage
from rollout_conformance.rollout_server.router.write_buffer import Row


@dataclass(eq=False, slots=True)
class RequestLifecycle:
    app_state: AppState
    inference: InferenceRequest
    row: Row | None = None
    tokens: TokenUsage = field(default_factory=TokenUsage)
    choice: Choice | None = None
    started: float = field(default_factory=time.monotonic)
    attempts: list[dict[str, str]] = field(default_factory=list)
    ended: bool = False

    async def begin(self) -> None:
        self.tokens.prompt_bytes = len(self.inference.raw)
        self.row = await self.app_state.key_store.begin(self.inference)

    def record_attempt(self, choice: Choice, outcome: str) -> None:
        self.attempts.append({"backend": choice.backend.name, "outcome": outcome})
        self.app_state.metrics.attempt(choice.backend.name, outcome)

    def record_decision(self, choice: Choice) -> None:
        self.choice = choice
        self.app_state.decisions.append(
            {
                "request_id": self.inference.request_id,
                "org": self.inference.key.org,
                "model": self.inference.model,
                "backend": choice.backend.name,
                "decision": choice.decision,
                "attempts": self.attempts,
                "at": time.time(),
            }
        )

    def end(self, status: int, outcome: str) -> None:
        if self.ended:
            return
        self.ended = True
        self.app_state.leave()
        self.tokens.settle()
        seconds = time.monotonic() - self.started
        self.app_state.metrics.ended(outcome, seconds, self.tokens.prompt, self.tokens.completion)
        values = self._values(status, outcome, seconds)
        self.app_state.key_store.finish(self.row, self.inference.key, values, self.tokens.total)
        self._log(values)

    def _values(self, status: int, outcome: str, seconds: float) -> dict[str, object]:
        return {
            "backend": self.choice.backend.name if self.choice else None,
            "decision": self.choice.decision if self.choice else None,
            "status": status,
            "outcome": outcome,
            "prompt_tokens": self.tokens.prompt,
            "completion_tokens": self.tokens.completion,
            "latency_ms": round(seconds * 1000, 3),
        }

    def _log(self, values: dict[str, object]) -> None:
        """Ids, counts and times. The model is one that a backend listed."""
        inference = {
            "request_id": self.inference.request_id,
            "org": self.inference.key.org,
            "key_id": self.inference.key.id,
        }
        if self.inference.trace:
            inference["trace_id"] = self.inference.trace.id
        self.app_state.log.info("request", **inference, model=self.inference.model, tries=self.attempts, **values)
