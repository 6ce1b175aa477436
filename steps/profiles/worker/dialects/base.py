"""What a dialect is: where its requests go, how a job is written, and how its stream is read as the events of all dialects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, Protocol

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import listed, mapping
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.profiles.worker.events import UNKNOWN, Breach, Event, Tokens, Transcript
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.sse.streams import DONE, Chunk

REPEATS = 3  # events that begin as the one before: fewer may be chance
WRITTEN_ID = "token_id:"
CUMULATIVE: Literal["cumulative"] = "cumulative"
DELTA: Literal["delta"] = "delta"
EITHER: Literal["either"] = "either"
Framing = Literal["cumulative", "delta", "either"]
READABLE, FRAMED, COLUMNS = "WORKER-011", "WORKER-104", "WORKER-102"


@dataclass(frozen=True, slots=True)
class Dialect:
    """`path` takes a job that is streamed, `whole_path` one that is not, empty where there is none. `body` writes a job, `read` and
    `read_whole` give what came of it. `cancel` gives the path and the body of a cancellation by id, None where jobs have no ids; `has_ids`
    whether token ids are shown; `id_at` the member of an event with the id of its job, where a worker may give it another one than the
    request names; `framing` is the documented one, either where a server has an option
    for it; `only_ids` whether a prompt is token ids and never a text; `trims_stop` whether a stop text is documented to be no part of the
    output; `completes` whether a job may exceed its limit by the tokens that complete its last character; `stream_reader` reads a cumulative
    stream while it arrives, and `without_output` is what is kept of its events then."""

    name: str
    path: str
    whole_path: str
    body: Callable[[JobSpec], dict[str, object]]
    read: Callable[[Sequence[Chunk], Framing], Transcript]
    read_whole: Callable[[Any], Transcript]
    cancel: Callable[[str], tuple[str, dict[str, object]]] | None = None
    framing: Framing = "delta"
    has_ids: bool = True
    id_at: str = ""
    takes_ids: bool = True
    only_ids: bool = False
    trims_stop: bool = False
    completes: bool = False
    stream_reader: "Callable[[Framing], EventReader] | None" = None
    without_output: Callable[[object], object] = lambda data: data

    def request_path(self, spec: JobSpec) -> str:
        return self.path if spec.stream or not self.whole_path else self.whole_path


Reader = Callable[[int, Mapping[str, object], "list[Event]", "list[Breach]"], None]


class EventReader(Protocol):
    """What reads a stream event by event."""

    @property
    def events(self) -> list[Event]: ...

    @property
    def transcript(self) -> Transcript: ...

    def feed(self, chunk: Chunk) -> None: ...


@dataclass(slots=True)
class StreamReader:
    """The events of a stream, of which `read` reads one at a time, so that none has to be kept for those after it. An event that is no JSON
    object breaks a requirement by itself."""

    read: Reader
    marker: Callable[[int], Event]
    events: list[Event] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)
    at: int = 0

    def feed(self, chunk: Chunk) -> None:
        at, self.at = self.at, self.at + 1
        if chunk.data == DONE:
            self.events.append(self.marker(at))
        elif isinstance(chunk.data, Mapping):
            self.read(at, chunk.data, self.events, self.breaches)
        else:
            seen = str(chunk.data) if isinstance(chunk.data, NotJson) else show(chunk.data)
            self.breaches.append(Breach(READABLE, "data that is a JSON object", f"event {at}: {seen}"))

    @property
    def transcript(self) -> Transcript:
        return Transcript(tuple(self.events), tuple(self.breaches))


def read_each(chunks: Sequence[Chunk], read: Reader, marker: Callable[[int], Event]) -> Transcript:
    """What a `StreamReader` makes of all events of a stream."""
    reader = StreamReader(read, marker)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.transcript


def repeated(events: Sequence[Event]) -> list[Breach]:
    """Increments that are none: from the second on, each event has all ids of the one before, or all its text, and more."""
    return _repeated_ids(events) or _repeated_text(events)


def _repeated_text(events: Sequence[Event]) -> list[Breach]:
    shown = [one.text for one in events if isinstance(one, Tokens) and one.text]
    if len(shown) <= REPEATS or not all(b.startswith(a) and len(b) > len(a) for a, b in pairwise(shown)):
        return []
    return [Breach(FRAMED, "the new text in each event", f"{show(shown[0])}, {show(shown[1])}, {show(shown[2])}, ...")]


def _repeated_ids(events: Sequence[Event]) -> list[Breach]:
    shown = [one.ids for one in events if isinstance(one, Tokens) and one.ids]
    if len(shown) < REPEATS or not all(
        after[: len(before)] == before and len(after) > len(before) for before, after in pairwise(shown)
    ):
        return []
    expected, observed = (
        "the new token ids in each event",
        f"{show(list(shown[0]))}, {show(list(shown[1]))}, {show(list(shown[2]))}, ...",
    )
    return [Breach(FRAMED, expected, observed)]


def meaning(reasons: Mapping[str, str], written: object) -> str:
    """What a dialect's word for the reason of an end means; `UNKNOWN` for what is none of its words."""
    return reasons.get(written, UNKNOWN) if isinstance(written, str) else UNKNOWN


def integer(value: object) -> int | None:
    return value if type(value) is int else None


def integers(value: object) -> tuple[int, ...] | None:
    """A list of integers; None for anything else."""
    if not isinstance(value, list) or not all(type(one) is int for one in value):
        return None
    return tuple(value)


def number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def alternatives(entries: object, sampled: object = None, own: int | None = None) -> dict[int, float]:
    """The log probabilities of a list of likely tokens, by their ids: objects with an id, or lists of a value and an id. What shows none is
    left out. A token that is named by its text alone is the `sampled` one, whose id is `own`, where it is equal to that; otherwise it has a
    number below 0 instead of an id, which is not known."""
    found: dict[int, float] = {}
    for n, entry in enumerate(listed(entries), 1):
        value, id = (
            entry[:2] if isinstance(entry, list) and len(entry) > 1 else (member(entry, "logprob"), token_id(entry))
        )
        if id is None and isinstance(member(entry, "token"), str):
            id = own if own is not None and _is_same(entry, sampled) else -n
        if type(id) is int and number(value) is not None:
            found[id] = number(value) or 0.0
    return found


def _is_same(entry: object, sampled: object) -> bool:
    return all(member(entry, name) == member(sampled, name) for name in ("token", "logprob"))


def token_id(entry: object) -> int | None:
    """The id of a token: `id`, `token_id`, or `token` with the text token_id:5, as vLLM writes it."""
    named = mapping(entry)
    written = named.get("token")
    if isinstance(written, str) and written.startswith(WRITTEN_ID) and written.removeprefix(WRITTEN_ID).isdecimal():
        return int(written.removeprefix(WRITTEN_ID))
    return integer(named.get("id", named.get("token_id")))


def member(body: object, *path: str) -> object:
    """A member of objects within objects; None where there is none."""
    found: object = body
    for name in path:
        found = mapping(found).get(name)
    return found
