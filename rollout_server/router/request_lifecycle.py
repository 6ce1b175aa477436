"""One admitted request from its place in the queue to its record: whatever happens in between, it ends exactly once."""

import time
from dataclasses import dataclass, field

from rollout_conformance.rollout_server.router.app_state import Kit
from rollout_conformance.rollout_server.router.request_validation import Asked
from rollout_conformance.rollout_server.router.routing import Choice
from rollout_conformance.rollout_server.router.usage import Tally
from rollout_conformance.rollout_server.router.write_buffer import Row


@dataclass(eq=False, slots=True)
class Run:
    kit: Kit
    asked: Asked
    row: Row | None = None
    tally: Tally = field(default_factory=Tally)
    choice: Choice | None = None
    started: float = field(default_factory=time.monotonic)
    attempts: list[dict[str, str]] = field(default_factory=list)
    ended: bool = False

    async def begin(self) -> None:
        self.tally.prompt_bytes = len(self.asked.raw)
        self.row = await self.kit.ledger.begin(self.asked)

    def tried(self, choice: Choice, outcome: str) -> None:
        self.attempts.append({"backend": choice.backend.name, "outcome": outcome})
        self.kit.metrics.attempt(choice.backend.name, outcome)

    def decided(self, choice: Choice) -> None:
        self.choice = choice
        self.kit.decisions.append(
            {
                "request_id": self.asked.request_id,
                "org": self.asked.key.org,
                "model": self.asked.model,
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
        self.kit.leave()
        self.tally.settle()
        seconds = time.monotonic() - self.started
        self.kit.metrics.ended(outcome, seconds, self.tally.prompt, self.tally.completion)
        values = self._values(status, outcome, seconds)
        self.kit.ledger.finish(self.row, self.asked.key, values, self.tally.total)
        self._log(values)

    def _values(self, status: int, outcome: str, seconds: float) -> dict[str, object]:
        return {
            "backend": self.choice.backend.name if self.choice else None,
            "decision": self.choice.decision if self.choice else None,
            "status": status,
            "outcome": outcome,
            "prompt_tokens": self.tally.prompt,
            "completion_tokens": self.tally.completion,
            "latency_ms": round(seconds * 1000, 3),
        }

    def _log(self, values: dict[str, object]) -> None:
        """Ids, counts and times. The name of the model is one that a backend listed."""
        asked = {"request_id": self.asked.request_id, "org": self.asked.key.org, "key_id": self.asked.key.id}
        if self.asked.trace:
            asked["trace_id"] = self.asked.trace.id
        self.kit.log.info("request", **asked, model=self.asked.model, tries=self.attempts, **values)
