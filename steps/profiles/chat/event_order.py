"""The chunks of a stream, walked through its table: in which state the stream is at its end, and what was out of order. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.contracts.chat.lifecycle import BREACHES, CHOICE, DONE, ENDED, NEW, OPEN, STARTED, STREAM
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.profiles.chat.responses import index_of
from rollout_conformance.steps.sse.order import Order, Walk
from rollout_conformance.steps.sse.streams import DONE as LAST
from rollout_conformance.steps.sse.streams import Chunk

ROLE = "inference server"
STREAM_ORDER = Order(STREAM, ROLE, BREACHES, "CHAT-051")
CHOICE_ORDER = Order(CHOICE, ROLE, BREACHES, "CHAT-051")


@dataclass(slots=True)
class Life:
    """What became of a stream: its own walk, and one for each of its choices by index. `going` are those that have not ended."""

    stream: Walk = field(default_factory=lambda: Walk(STREAM_ORDER, OPEN))
    choices: dict[int, Walk] = field(default_factory=dict)
    going: set[int] = field(default_factory=set)

    @property
    def breaches(self) -> list[tuple[str, str]]:
        """What was out of order: (requirement, what it was and what was legal), that of the choices first."""
        return [one for walk in (*self.choices.values(), self.stream) for one in walk.found]

    def of(self, requirement: str) -> list[str]:
        return [told for name, told in self.breaches if name == requirement]

    @property
    def state(self) -> str:
        return self.stream.state

    @property
    def ended(self) -> bool:
        """Whether it had choices, and its end after them."""
        return self.state == DONE and bool(self.choices)

    def shown(self) -> str:
        still = [str(index) for index, walk in self.choices.items() if walk.state != ENDED]
        waiting = f", choice {', '.join(still)} without a finish_reason" if still else ""
        none = "" if self.choices else ", without a choice"
        return f"the stream ends in {self.state}{waiting}{none}; legal there: {STREAM_ORDER.legal(self.state)}"


def walked(chunks: Sequence[Chunk]) -> Life:
    life = Life()
    for n, chunk in enumerate(chunks):
        for index, part in _parts(chunk.data):
            _walk_choice(life, f"chunk {n}, choice {index}", index, part)
        event = _event(life, chunk.data)
        if event is not None:
            life.stream.step(event, f"chunk {n}")
    return life


def _walk_choice(life: Life, where: str, index: int, part: Mapping[str, Any]) -> None:
    walk = life.choices.setdefault(index, Walk(CHOICE_ORDER, NEW))
    for event in _events(part):
        if not walk.step(event, where) and walk.state == NEW:
            # found once; what follows is judged as if the role had been sent
            walk.state = STARTED
            if event in CHOICE[ROLE][STARTED]:
                walk.step(event, where)
    (life.going.discard if walk.state == ENDED else life.going.add)(index)


def _parts(data: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for part in mappings(mapping(data).get("choices")):
        yield index_of(part.get("index")), part


def _events(part: Mapping[str, Any]) -> Iterator[str]:
    delta = mapping(part.get("delta"))
    if delta.get("role"):
        yield "RoleSent"
    if any(delta.get(name) for name in ("content", "reasoning", "reasoning_content", "tool_calls")):
        yield "PartSent"
    if part.get("finish_reason") is not None:
        yield "FinishSent"


def _event(life: Life, data: Any) -> str | None:
    """What a chunk is to the stream; None when it has no place in the order."""
    if data == LAST:
        return "DoneSent"
    if not isinstance(data, Mapping):
        return None
    if data.get("error"):
        return "ErrorSent"
    if mappings(data.get("choices")):
        return "ChunkSent" if life.going else "LastFinishSent"
    return "UsageSent" if data.get("usage") else None
