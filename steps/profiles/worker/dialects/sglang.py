"""The dialect `sglang`: POST /generate, whose events hold all that was generated so far unless the server streams increments;
POST /abort_request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.steps.engine.json_diff import ABSENT, show
from rollout_conformance.steps.engine.lenient_json import listed, mapping, text
from rollout_conformance.steps.profiles.worker.dialects.base import (
    COLUMNS,
    CUMULATIVE,
    DELTA,
    EITHER,
    FRAMED,
    Dialect,
    EventReader,
    Framing,
    StreamReader,
    alternatives,
    integer,
    meaning,
    member,
    number,
)
from rollout_conformance.steps.profiles.worker.dialects.either_framing import EitherReader
from rollout_conformance.steps.profiles.worker.dialects.vllm_generate import failure
from rollout_conformance.steps.profiles.worker.events import (
    CANCELLED,
    ERROR,
    LENGTH,
    STOP,
    Breach,
    End,
    Event,
    Marker,
    Metrics,
    Tokens,
    Transcript,
)
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec, present
from rollout_conformance.steps.sse.streams import Chunk

PATH = "/generate"
REASONS = {"length": LENGTH, "stop": STOP, "abort": CANCELLED, "error": ERROR}
KEPT = "WORKER-107"
GROWING = ("text", "output_ids", "meta_info")


def body(spec: JobSpec) -> dict[str, object]:
    sampling = present(max_new_tokens=spec.max_tokens, temperature=spec.temperature, sampling_seed=spec.seed)
    sampling |= present(
        stop=spec.stops, stop_token_ids=list(spec.stop_ids) or None, ignore_eos=spec.ignores_eos or None
    )
    sampling |= present(n=spec.samples if spec.samples > 1 else None)
    members: dict[str, object] = {"input_ids": list(spec.prompt_ids)} if spec.by_ids else {"text": spec.prompts}
    ids = [f"{spec.id}-{n}" for n in range(len(spec.others) + 1)]
    members |= {
        "rid": ids if spec.others else spec.id,
        "sampling_params": {**sampling, **spec.sampling},
        "stream": spec.stream,
    }
    if spec.shows:
        members["return_logprob"] = True
        members |= present(
            top_logprobs_num=spec.alternatives or None, logprob_start_len=0 if spec.scores_prompt else None
        )
    return spec.finished(members)


@dataclass(slots=True)
class _Seen:
    """What the events before held."""

    text: str = ""
    ids: tuple[int, ...] = ()
    logprobs: tuple[float | None, ...] = ()
    count: int = 0


@dataclass(slots=True)
class _Column:
    """A list that each event repeats and continues, of which every entry is read once."""

    read: Callable[[Any], Any]
    raw: list[Any] = field(default_factory=list)
    entries: tuple[Any, ...] = ()

    def of(self, found: object) -> tuple[Any, ...] | None:
        """The entries of a list; None for what is no list."""
        if not isinstance(found, list):
            return None
        known = len(self.raw) if found[: len(self.raw)] == self.raw else 0
        self.entries = self.entries[:known] + tuple(map(self.read, found[known:]))
        self.raw = found
        return self.entries


@dataclass(slots=True)
class _Columns:
    """The lists of an event."""

    output_ids: _Column = field(default_factory=lambda: _Column(integer))
    logprobs: _Column = field(default_factory=lambda: _Column(lambda one: number(_entry(one, 0))))
    named: _Column = field(default_factory=lambda: _Column(lambda one: integer(_entry(one, 1))))
    tops: _Column = field(default_factory=lambda: _Column(alternatives))


@dataclass(slots=True)
class _Reader:
    framing: Framing
    seen: _Seen = field(default_factory=_Seen)
    has_ended: bool = False
    columns: _Columns = field(default_factory=_Columns)

    def __call__(self, at: int, data: Mapping[str, object], events: list[Event], breaches: list[Breach]) -> None:
        if data.get("error") is not None:
            self.has_ended = True
            events.append(failure(at, data))
            return
        if self.has_ended and member(data, "meta_info", "finish_reason") is None:
            events.append(Metrics(at, without_output(data)))  # an event after the end, whatever it holds
            return
        if "text" not in data and "output_ids" not in data and "meta_info" not in data:
            events.append(Metrics(at, data))
            return
        reason = member(data, "meta_info", "finish_reason")
        found, broken = self._tokens(at, data, reason)
        breaches += broken if not breaches else []
        events += found
        if reason is not None:
            self.has_ended = True
            events.append(end(at, data, reason, self.seen.text))

    def _tokens(self, at: int, data: Mapping[str, object], reason: object) -> tuple[list[Event], list[Breach]]:
        meta, columns = mapping(data.get("meta_info")), self.columns
        shown, counter = text(data.get("text")), integer(meta.get("completion_tokens"))
        logprobs = columns.logprobs.of(meta.get("output_token_logprobs"))
        named = _complete(columns.named.of(meta.get("output_token_logprobs")))
        ids = _complete(columns.output_ids.of(data.get("output_ids")))
        ids = ids if ids is not None else named or None
        seen, broken = self.seen, _of_others(at, ids, named)
        tops = columns.tops.of(meta.get("output_top_logprobs"))
        if self.framing == CUMULATIVE:
            broken = self._not_continued(at, shown, ids, logprobs, reason) or broken
            new_text = shown.removeprefix(seen.text) if shown.startswith(seen.text) else ""
            new_ids = ids[len(seen.ids) :] if ids is not None else None
            new_logprobs = logprobs[len(seen.logprobs) :] if logprobs is not None else None
            tops = tops[len(seen.logprobs) :] if tops is not None else None
            self.seen = _Seen(shown, ids or (), logprobs or (), seen.count)
        else:
            new_text, new_ids, new_logprobs = shown, ids, logprobs
            self.seen = _Seen(seen.text + shown, (), (), seen.count)
        count = counter - seen.count if counter is not None else len(new_ids) if new_ids is not None else None
        self.seen.count = counter if counter is not None else seen.count
        if not (new_text or new_ids or new_logprobs or count):
            return [], broken
        return [Tokens(at, new_text, new_ids, new_logprobs, count=count, alternatives=tops)], broken

    def _not_continued(
        self,
        at: int,
        shown: str,
        ids: tuple[int, ...] | None,
        logprobs: tuple[float | None, ...] | None,
        reason: object,
    ) -> list[Breach]:
        """What does not begin with what the event before held. At its end a text may be cut back by a stop text that has begun."""
        seen = self.seen
        pairs: list[tuple[str, Any, Any]] = [("text", seen.text, shown)]
        if reason is not None and REASONS.get(str(mapping(reason).get("type"))) == CANCELLED:
            return self._lost(at, shown, ids)
        if reason is not None and seen.text.startswith(shown):
            pairs = []
        pairs += [("output_ids", seen.ids, ids)] if ids is not None else []
        pairs += [("output_token_logprobs", seen.logprobs, logprobs)] if logprobs is not None else []
        return [
            Breach(
                FRAMED, f"{name}, cumulative: it begins with {show(_plain(before))}", f"event {at}: {show(_plain(now))}"
            )
            for name, before, now in pairs
            if now[: len(before)] != before
        ][:1]

    def _lost(self, at: int, shown: str, ids: tuple[int, ...] | None) -> list[Breach]:
        """What an aborted job no longer has of the tokens that were sent."""
        seen = self.seen
        if shown.startswith(seen.text) and (ids is None or ids[: len(seen.ids)] == seen.ids):
            return []
        expected = f"the tokens that were sent before: {show(seen.text)}, {len(seen.ids)} ids"
        return [Breach(KEPT, expected, f"event {at}: {show(shown)}, {len(ids or ())} ids")]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _entry(entry: object, at: int) -> object:
    return entry[at] if isinstance(entry, list) and len(entry) > at else None


def _complete(ids: tuple[Any, ...] | None) -> tuple[int, ...] | None:
    """Ids of which none is missing."""
    return None if ids is None or None in ids else ids


def _of_others(at: int, ids: tuple[int, ...] | None, named: tuple[int, ...] | None) -> list[Breach]:
    """Log probabilities that name other tokens than the ids."""
    if not ids or not named or len(named) != len(ids) or named == ids:
        return []
    return [
        Breach(COLUMNS, f"log probabilities of the tokens {show(list(ids))}", f"event {at}: of {show(list(named))}")
    ]


def end(at: int, data: Mapping[str, object], reason: object, whole: str) -> End:
    kind = mapping(reason).get("type", reason)
    counted = member(data, "meta_info", "completion_tokens")
    matched = mapping(reason).get("matched", ABSENT)
    shown = data.get("text")
    return End(
        at,
        meaning(REASONS, kind),
        kind,
        tokens=ABSENT if counted is None else counted,
        text=whole if isinstance(shown, str) else None,
        matched=matched if isinstance(matched, str | int) else ABSENT,
        weight_versions=member(data, "meta_info", "weight_version") or ABSENT,
        prompt_tokens=mapping(data.get("meta_info")).get("prompt_tokens", ABSENT),
        cached_tokens=mapping(data.get("meta_info")).get("cached_tokens", ABSENT),
    )


def stream_reader(framing: Framing) -> EventReader:
    if framing == EITHER:
        return EitherReader(*(StreamReader(_Reader(one), Marker) for one in (CUMULATIVE, DELTA)))
    return StreamReader(_Reader(framing), Marker)


def without_output(data: object) -> object:
    """An event without what it repeats of those before: the text, the ids and the lists beside them."""
    if not isinstance(data, Mapping):
        return data
    meta = {name: value for name, value in mapping(data.get("meta_info")).items() if not isinstance(value, list)}
    return {name: value for name, value in data.items() if name not in GROWING} | ({"meta_info": meta} if meta else {})


def read(chunks: Sequence[Chunk], framing: Framing) -> Transcript:
    reader = stream_reader(framing)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.transcript


def read_whole(found: object) -> Transcript:
    answer = mapping(found) or mapping(next(iter(listed(found)), None))
    if member(answer, "meta_info") is None:
        return Transcript()
    events: list[Event] = []
    breaches: list[Breach] = []
    _Reader(CUMULATIVE)(0, answer, events, breaches)
    entries = member(answer, "meta_info", "input_token_logprobs")
    scores = tuple(alternatives([one]) or None for one in entries) if isinstance(entries, list) and entries else None
    return Transcript(tuple(events), tuple(breaches), prompt_logprobs=scores)


def cancel(job_id: str) -> tuple[str, dict[str, object]]:
    return "/abort_request", {"rid": job_id}


DIALECT = Dialect(
    "sglang",
    PATH,
    PATH,
    body,
    read,
    read_whole,
    cancel,
    framing=EITHER,
    trims_stop=True,
    stream_reader=stream_reader,
    without_output=without_output,
)
