"""The dialect `vllm-generate`: POST /inference/v1/generate, tokens in and tokens out; POST /abort_requests."""

from collections.abc import Mapping, Sequence

from rollout_conformance.steps.engine.json_diff import ABSENT
from rollout_conformance.steps.engine.lenient_json import mapping, mappings, text
from rollout_conformance.steps.profiles.worker.dialects.base import (
    Dialect,
    Framing,
    integers,
    meaning,
    member,
    number,
    read_each,
    repeated,
)
from rollout_conformance.steps.profiles.worker.events import (
    CANCELLED,
    ERROR,
    LENGTH,
    STOP,
    Breach,
    End,
    Event,
    Failure,
    Marker,
    Metrics,
    Tokens,
    Transcript,
    Usage,
)
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec, present
from rollout_conformance.steps.sse.streams import Chunk

PATH = "/inference/v1/generate"
REASONS = {"length": LENGTH, "stop": STOP, "abort": CANCELLED, "cancelled": CANCELLED, "error": ERROR}


def body(spec: JobSpec) -> dict[str, object]:
    sampling = present(max_tokens=spec.max_tokens, temperature=spec.temperature, seed=spec.seed, stop=spec.stops)
    sampling |= present(logprobs=1 if spec.shows else None, ignore_eos=spec.ignores_eos or None)
    members: dict[str, object] = {
        "request_id": spec.id,
        "token_ids": list(spec.prompt_ids),
        "sampling_params": {**sampling, **spec.sampling},
        "stream": spec.stream,
    }
    if spec.has_text:
        members["output_mode"] = "text"
    if spec.stream:
        members["stream_options"] = {"include_usage": True}
    return spec.finished(members)


def read(chunks: Sequence[Chunk], framing: Framing) -> Transcript:
    found = read_each(chunks, _chunk, Marker)
    return Transcript(found.events, (*found.breaches, *repeated(found.events)))


def _chunk(at: int, data: Mapping[str, object], events: list[Event], breaches: list[Breach]) -> None:
    if data.get("error") is not None:
        events.append(failure(at, data))
        return
    choice = next(iter(mappings(data.get("choices"))), None)
    counted = member(data, "usage", "completion_tokens")
    if choice is None:
        events.append(Usage(at, ABSENT if counted is None else counted) if "usage" in data else Metrics(at, data))
        return
    events.extend(_choice(at, choice, ABSENT if counted is None else counted))


def _choice(at: int, choice: Mapping[str, object], counted: object) -> list[Event]:
    ids = integers(choice.get("token_ids"))
    shown = text(choice.get("text")) or text(member(choice, "delta", "text"))
    found: list[Event] = []
    if ids or shown or logprobs(choice):
        found.append(Tokens(at, shown, ids, logprobs(choice), count=None))
    reason = choice.get("finish_reason")
    if reason is not None:
        versions = choice.get("weight_versions", ABSENT)
        matched = choice.get("stop_reason", ABSENT)
        found.append(
            End(at, meaning(REASONS, reason), reason, tokens=counted, matched=matched, weight_versions=versions)
        )
    return found


def logprobs(choice: Mapping[str, object]) -> tuple[float | None, ...] | None:
    """One for each token; None where none are shown."""
    content = member(choice, "logprobs", "content")
    return tuple(number(one.get("logprob")) for one in mappings(content)) if isinstance(content, list) else None


def failure(at: int, data: Mapping[str, object]) -> Failure:
    error = data.get("error")
    named = mapping(error)
    message = named.get("message", error if isinstance(error, str) else ABSENT)
    return Failure(at, named.get("code", named.get("type", ABSENT)), message)


def read_whole(found: object) -> Transcript:
    choice = next(iter(mappings(member(found, "choices"))), None)
    if choice is None:
        return Transcript()
    counted = member(found, "usage", "completion_tokens")
    return Transcript(tuple(_choice(0, choice, ABSENT if counted is None else counted)))


def cancel(job_id: str) -> tuple[str, dict[str, object]]:
    return "/abort_requests", {"request_ids": [job_id]}


DIALECT = Dialect(
    "vllm-generate",
    PATH,
    PATH,
    body,
    read,
    read_whole,
    cancel,
    id_at="request_id",
)
