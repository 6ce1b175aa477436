"""The dialect `vllm-generate`: POST /inference/v1/generate, tokens in and tokens out; POST /abort_requests."""

from collections.abc import Mapping, Sequence

from rollout_conformance.steps.engine.json_diff import ABSENT, show
from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings, text
from rollout_conformance.steps.profiles.worker.dialects.base import (
    COLUMNS,
    Dialect,
    Framing,
    alternatives,
    integers,
    meaning,
    member,
    number,
    read_each,
    repeated,
    token_id,
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
LEAST_BIAS = -100  # of the range that is documented
REASONS = {"length": LENGTH, "stop": STOP, "abort": CANCELLED, "cancelled": CANCELLED, "error": ERROR}


def body(spec: JobSpec) -> dict[str, object]:
    sampling = present(max_tokens=spec.max_tokens, temperature=spec.temperature, seed=spec.seed, stop=spec.stops)
    sampling |= present(logprobs=max(spec.alternatives, 1) if spec.shows else None, ignore_eos=spec.ignores_eos or None)
    sampling |= present(stop_token_ids=list(spec.stop_ids) or None, prompt_logprobs=1 if spec.scores_prompt else None)
    sampling |= present(n=spec.samples if spec.samples > 1 else None)
    sampling |= present(logit_bias={str(id): LEAST_BIAS for id in spec.excluded_ids} or None)
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
    if choice is None:
        events.append(_usage(at, data) if "usage" in data else Metrics(at, data))
        return
    found, broken = _choice(at, choice, mapping(data.get("usage")))
    events.extend(found)
    breaches.extend(broken if not breaches else [])


def _usage(at: int, data: Mapping[str, object]) -> Usage:
    usage = mapping(data.get("usage"))
    names = ("completion_tokens", "prompt_tokens", "total_tokens")
    return Usage(at, *(ABSENT if usage.get(name) is None else usage[name] for name in names))


def _choice(at: int, choice: Mapping[str, object], usage: Mapping[str, object]) -> tuple[list[Event], list[Breach]]:
    """What a choice shows. `usage` is that of the whole job, where it is no stream."""
    ids = integers(choice.get("token_ids"))
    shown = text(choice.get("text")) or text(member(choice, "delta", "text"))
    found: list[Event] = []
    if ids or shown or logprobs(choice):
        content = listed(member(choice, "logprobs", "content"))
        own = ids if ids is not None and len(ids) == len(content) else [None] * len(content)
        tops = tuple(alternatives(member(one, "top_logprobs"), one, id) for one, id in zip(content, own, strict=True))
        found.append(Tokens(at, shown, ids, logprobs(choice), count=None, alternatives=tops or None))
    reason = choice.get("finish_reason")
    if reason is not None:
        versions = choice.get("weight_versions", ABSENT)
        matched = choice.get("stop_reason", ABSENT)
        found.append(
            End(
                at,
                meaning(REASONS, reason),
                reason,
                tokens=usage.get("completion_tokens", ABSENT),
                matched=matched,
                weight_versions=versions,
                prompt_tokens=usage.get("prompt_tokens", ABSENT),
            )
        )
    return found, of_others(at, ids, [token_id(one) for one in listed(member(choice, "logprobs", "content"))])


def of_others(at: int, ids: tuple[int, ...] | None, named: Sequence[int | None]) -> list[Breach]:
    """Log probabilities that name other tokens than the ids."""
    if not ids or len(named) != len(ids) or None in named or tuple(named) == ids:
        return []
    return [Breach(COLUMNS, f"log probabilities of the tokens {show(list(ids))}", f"event {at}: of {show([*named])}")]


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
    events, breaches = _choice(0, choice, mapping(member(found, "usage")))
    scores = member(found, "prompt_logprobs")
    return Transcript(tuple(events), tuple(breaches), prompt_logprobs=_scores(scores))


def _scores(entries: object) -> tuple[Mapping[int, float] | None, ...] | None:
    """The log probabilities of a prompt: an object for each token, with the ids of the token and of likely ones as its members."""
    if not isinstance(entries, list):
        return None
    rows = [{**mapping(one)} for one in entries]
    values = [{name: number(member(row, name, "logprob")) for name in row} for row in rows]
    return tuple(
        {int(name): value for name, value in row.items() if name.isdecimal() and value is not None} or None
        for row in values
    )


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
    only_ids=True,
    trims_stop=True,
)
