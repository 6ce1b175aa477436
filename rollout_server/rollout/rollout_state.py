"""One rollout while it runs."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.rollout.response_mask import Turn
from rollout_conformance.rollout_server.rollout.results import Tally
from rollout_conformance.rollout_server.rollout.start_request import Start

Message = Mapping[str, Any]


@dataclass(slots=True)
class Rollout:
    """`history` is what the next generation is asked to continue; it is replaced by longer ones and never edited."""

    start: Start
    history: Sequence[Message]
    tally: Tally = field(default_factory=Tally)
    last: Turn | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    def turn_key(self) -> str:
        """Names this turn of this run, in ASCII whatever the rollout id is."""
        text = f"{self.nonce} {self.tally.llm_calls} {self.start.rollout_id}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def begin(start: Start) -> Rollout:
    return Rollout(start, list(start.messages))
