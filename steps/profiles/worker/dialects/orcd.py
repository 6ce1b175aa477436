"""The dialect `orcd`: POST /execute with named events `started`, `token`, `metrics`, `end` and `error`; POST /cancel."""

from collections.abc import Mapping, Sequence

from rollout_conformance.steps.engine.json_diff import ABSENT, show
from rollout_conformance.steps.engine.lenient_json import text
from rollout_conformance.steps.profiles.worker.dialects.base import (
    Dialect,
    Framing,
    integer,
    meaning,
    number,
    read_each,
)
from rollout_conformance.steps.profiles.worker.events import (
    CANCELLED,
    EOS,
    ERROR,
    LENGTH,
    STOP,
    Breach,
    End,
    Event,
    Failure,
    Marker,
    Metrics,
    Started,
    Tokens,
    Transcript,
)
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec, present
from rollout_conformance.steps.sse.streams import Chunk

REASONS = {
    "max_tokens": LENGTH,
    "stop_sequence": STOP,
    "cancelled": CANCELLED,
    "error": ERROR,
    "eos": EOS,
    "eos_token": EOS,
    "end_of_text": EOS,
    "end_of_sequence": EOS,
}
CANCEL_CODES = ("CANCELLED", "CANCELED")
KINDS = ("started", "token", "metrics", "end", "error")


def body(spec: JobSpec) -> dict[str, object]:
    members = present(
        job_id=spec.id,
        prompt=spec.prompt,
        max_tokens=spec.max_tokens,
        temperature=spec.temperature,
        seed=spec.seed,
        stop=spec.stops,
        ignore_eos=spec.ignores_eos or None,
    )
    return spec.finished({**members, **spec.sampling})


def read(chunks: Sequence[Chunk], framing: Framing) -> Transcript:
    found = read_each(chunks, _event, Marker)
    misnamed = [
        Breach("WORKER-010", f"event: {chunk.data['type']}, as `type` says", f"event {at}: event: {chunk.event}")
        for at, chunk in enumerate(chunks)
        if isinstance(chunk.data, Mapping)
        and isinstance(chunk.data.get("type"), str)
        and chunk.event not in ("message", chunk.data["type"])
    ]
    return Transcript(found.events, (*found.breaches, *misnamed[:1]))


def _event(at: int, data: Mapping[str, object], events: list[Event], breaches: list[Breach]) -> None:
    kind = data.get("type")
    if kind == "started":
        names = ("job_id", "model", "started_at", "seed")
        job_id, model, started_at, seed = (data.get(name, ABSENT) for name in names)
        events.append(Started(at, job_id, model, started_at, seed))
    elif kind == "token":
        if not isinstance(data.get("t"), str):
            breaches.append(Breach("WORKER-008", "a token with its text `t`", f"event {at}: {show(data)}"))
        ids = integer(data.get("id"))
        logprobs = (number(data["logprob"]),) if "logprob" in data else None
        shown = (ids,) if ids is not None else None
        events.append(Tokens(at, text(data.get("t")), shown, logprobs, data.get("i", ABSENT)))
    elif kind == "metrics":
        events.append(Metrics(at, data))
    elif kind == "end":
        events.append(_end(at, data))
    elif kind == "error":
        code, message, retriable = (data.get(name, ABSENT) for name in ("code", "message", "retriable"))
        events.append(Failure(at, code, message, retriable, code in CANCEL_CODES))
    else:
        expected = f"`type` is one of {', '.join(KINDS)}"
        breaches.append(Breach("WORKER-007", expected, f"event {at}: {show(data)}"))


def _end(at: int, data: Mapping[str, object]) -> Event:
    written = data.get("stop_reason", ABSENT)
    return End(
        at,
        meaning(REASONS, written),
        written,
        tokens=data.get("tokens_out", ABSENT),
        matched=data.get("stop_sequence_matched", ABSENT),
        seed=data.get("seed", ABSENT),
        elapsed_ms=data.get("decode_time_ms", ABSENT),
    )


def read_whole(found: object) -> Transcript:
    return Transcript()


def cancel(job_id: str) -> tuple[str, dict[str, object]]:
    return "/cancel", {"job_id": job_id}


DIALECT = Dialect("orcd", "/execute", "", body, read, read_whole, cancel, has_ids=False, takes_ids=False)
