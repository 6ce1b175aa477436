"""The chunks of a stream, walked through its table: in which state the stream is at its end, and what was out of order. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rollout_conformance.contracts.chat.lifecycle import BREACHES, CHOICE, DONE, ENDED, NEW, OPEN, STARTED, STREAM
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.profiles.chat.responses import index_of
from rollout_conformance.steps.sse.order import Order, Walk
from rollout_conformance.steps.sse.streams import DONE as LAST
from rollout_conformance.steps.sse.streams import Chunk

ROLE = "inference server"
MOST_LISTED = 4
STREAM_ORDER = Order(STREAM, ROLE, BREACHES, "CHAT-051")
CHOICE_ORDER = Order(CHOICE, ROLE, BREACHES, "CHAT-051")


@dataclass(slots=True)
class Life:
    """What became of a stream: its own walk, and one for each of its choices by index. `going` are those that have not ended.

    The rest are indices of chunks: `ends` with the finish reasons of each choice, `late` the first delta of a choice behind its own, `dones`
    with [DONE], `after` what follows that.
    """

    stream: Walk = field(default_factory=lambda: Walk(STREAM_ORDER, OPEN))
    choices: dict[int, Walk] = field(default_factory=dict)
    going: set[int] = field(default_factory=set)
    ends: dict[int, list[int]] = field(default_factory=dict)
    late: dict[int, int] = field(default_factory=dict)
    dones: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)

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

    def plainly(self) -> list[str]:
        """What is wrong with the order, without the words of the table: which choices ended how often, and what followed their end."""
        several = {index: ends for index, ends in self.ends.items() if len(ends) > 1}
        told = [
            f"choice {index} has a finish_reason {len(ends)} times (chunks {_listed(ends)})"
            for index, ends in several.items()
        ]
        none = [index for index, walk in self.choices.items() if walk.state != ENDED]
        told += [f"{_choices(none)} never {'has' if len(none) == 1 else 'have'} one"] if none else []
        told += [f"choice {index} continues after its finish_reason, in chunk {n}" for index, n in self.late.items()]
        if len(self.dones) > 1:
            told.append(f"data: [DONE] is sent {len(self.dones)} times (chunks {_listed(self.dones)})")
        elif not self.dones:
            told.append("data: [DONE] is missing" if self.choices else "it has no choice, and no data: [DONE]")
        elif not self.choices:
            told.append("it has no choice")
        if self.after:
            told.append(f"chunk {self.after[0]} follows data: [DONE]")
        return told

    def shown(self) -> str:
        still = [str(index) for index, walk in self.choices.items() if walk.state != ENDED]
        waiting = f", choice {', '.join(still)} without a finish_reason" if still else ""
        none = "" if self.choices else ", without a choice"
        return f"the stream ends in {self.state}{waiting}{none}; legal there: {STREAM_ORDER.legal(self.state)}"


def walked(chunks: Sequence[Chunk]) -> Life:
    life = Life()
    for n, chunk in enumerate(chunks):
        _note(life, n, chunk.data)
        for index, part in _parts(chunk.data):
            _walk_choice(life, f"chunk {n}, choice {index}", index, part)
        event = _event(life, chunk.data)
        if event is not None:
            life.stream.step(event, f"chunk {n}")
    return life


def _note(life: Life, n: int, data: object) -> None:
    """Note where a stream says that something ends."""
    if data == LAST:
        life.dones.append(n)
    elif life.dones:
        life.after.append(n)
    for index, part in _parts(data):
        events = set(_events(part))
        if index in life.ends and events & {"PartSent", "RoleSent"}:
            life.late.setdefault(index, n)
        if "FinishSent" in events:
            life.ends.setdefault(index, []).append(n)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:MOST_LISTED])) + (", ..." if len(numbers) > MOST_LISTED else "")


def _choices(indices: Sequence[int]) -> str:
    return f"choice{'s' if len(indices) > 1 else ''} {_listed(indices)}"


def _walk_choice(life: Life, where: str, index: int, part: Mapping[str, object]) -> None:
    walk = life.choices.setdefault(index, Walk(CHOICE_ORDER, NEW))
    for event in _events(part):
        if not walk.step(event, where) and walk.state == NEW:
            # found once; what follows is judged as if the role had been sent
            walk.state = STARTED
            if event in CHOICE[ROLE][STARTED]:
                walk.step(event, where)
    (life.going.discard if walk.state == ENDED else life.going.add)(index)


def _parts(data: object) -> Iterator[tuple[int, Mapping[str, object]]]:
    for part in mappings(mapping(data).get("choices")):
        yield index_of(part.get("index")), part


def _events(part: Mapping[str, object]) -> Iterator[str]:
    delta = mapping(part.get("delta"))
    if delta.get("role"):
        yield "RoleSent"
    if any(delta.get(name) for name in ("content", "reasoning", "reasoning_content", "tool_calls")):
        yield "PartSent"
    if part.get("finish_reason") is not None:
        yield "FinishSent"


def _event(life: Life, data: object) -> str | None:
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
