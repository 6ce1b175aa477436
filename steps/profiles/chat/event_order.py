"""The chunks of a stream, walked through its table: in which state the stream is at its end, and what was out of order. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.contracts.chat.lifecycle import BREACHES, CHOICE, DONE, ENDED, NEW, OPEN, SPEAKING, STREAM
from rollout_conformance.contracts.lifecycle import OutOfOrder, advance
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.profiles.chat.replies import DONE as LAST
from rollout_conformance.steps.profiles.chat.replies import Chunk, place

ENGINE = "engine"


@dataclass(slots=True)
class Life:
    """What became of a stream. `choices` are the states by index, `going` those that have not ended, `breaches` (requirement, what was seen
    and what was legal)."""

    state: str = OPEN
    choices: dict[int, str] = field(default_factory=dict)
    going: set[int] = field(default_factory=set)
    breaches: list[tuple[str, str]] = field(default_factory=list)

    def of(self, requirement: str) -> list[str]:
        return [told for name, told in self.breaches if name == requirement]

    @property
    def ended(self) -> bool:
        """Whether it said everything, and that this was everything."""
        return self.state == DONE and bool(self.choices)

    def shown(self) -> str:
        still = [str(index) for index, state in self.choices.items() if state != ENDED]
        waiting = f", choice {', '.join(still)} without a finish_reason" if still else ""
        legal = ", ".join(sorted(STREAM[ENGINE][self.state])) or "nothing, it is final"
        return f"the stream ends in {self.state}{waiting}{'' if self.choices else ', without a choice'}; legal there: {legal}"


def walked(chunks: Sequence[Chunk]) -> Life:
    life = Life()
    for n, chunk in enumerate(chunks):
        for index, part in _parts(chunk.data):
            _choose(life, f"chunk {n}, choice {index}", index, part)
        event = _event(life, chunk.data)
        if event is not None:
            _step(life, f"chunk {n}", event)
    return life


def _step(life: Life, where: str, event: str) -> None:
    after = advance(STREAM, life.state, ENGINE, event)
    if isinstance(after, OutOfOrder):
        life.breaches.append((BREACHES.get((life.state, event), "CHAT-051"), f"{where}: {after}"))
    else:
        life.state = after


def _choose(life: Life, where: str, index: int, part: Mapping[str, Any]) -> None:
    state = life.choices.get(index, NEW)
    for event in _events(part):
        after = advance(CHOICE, state, ENGINE, event)
        if isinstance(after, OutOfOrder):
            life.breaches.append((BREACHES[(state, event)], f"{where}: {after}"))
            if state == NEW:  # told once; what follows is judged as if the role had been said
                repaired = advance(CHOICE, SPEAKING, ENGINE, event)
                state = repaired if isinstance(repaired, str) else SPEAKING
        else:
            state = after
    life.choices[index] = state
    (life.going.discard if state == ENDED else life.going.add)(index)


def _parts(data: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for part in mappings(mapping(data).get("choices")):
        yield place(part.get("index")), part


def _events(part: Mapping[str, Any]) -> Iterator[str]:
    delta = mapping(part.get("delta"))
    if delta.get("role"):
        yield "RoleSaid"
    if any(delta.get(name) for name in ("content", "reasoning", "reasoning_content", "tool_calls")):
        yield "PieceSaid"
    if part.get("finish_reason") is not None:
        yield "EndSaid"


def _event(life: Life, data: Any) -> str | None:
    """What a chunk is to the stream; None when it says nothing of its order."""
    if data == LAST:
        return "DoneSaid"
    if not isinstance(data, Mapping):
        return None
    if data.get("error"):
        return "ErrorSaid"
    if mappings(data.get("choices")):
        return "ChunkSaid" if life.going else "AllEnded"
    return "UsageSaid" if data.get("usage") else None
