"""A running rollout."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.rollout.response_mask import Turn
from rollout_conformance.rollout_server.rollout.results import Counters
from rollout_conformance.rollout_server.rollout.start_request import StartRequest

Message = Mapping[str, Any]


@dataclass(slots=True)
class RolloutState:
    """`history` is the conversation that the next generation continues; it is replaced by longer ones, never edited."""

    start: StartRequest
    history: Sequence[Message]
    counters: Counters = field(default_factory=Counters)
    last: Turn | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    def turn_key(self) -> str:
        """The Idempotency-Key of this turn of this run, in ASCII whatever the rollout id is."""
        text = f"{self.nonce} {self.counters.llm_calls} {self.start.rollout_id}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def new_state(start: StartRequest) -> RolloutState:
    return RolloutState(start, list(start.messages))
