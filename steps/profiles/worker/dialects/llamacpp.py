"""The dialect `llamacpp`: POST /completion, events with the new text, the last of which has `stop: true` and the counters. A job has no id,
and ends when its client disconnects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rollout_conformance.steps.engine.json_diff import ABSENT
from rollout_conformance.steps.engine.lenient_json import mapping, mappings, text
from rollout_conformance.steps.profiles.worker.dialects.base import (
    Dialect,
    Framing,
    alternatives,
    integer,
    integers,
    meaning,
    number,
    read_each,
    repeated,
)
from rollout_conformance.steps.profiles.worker.dialects.vllm_generate import failure, of_others
from rollout_conformance.steps.profiles.worker.events import (
    CANCELLED,
    EOS,
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

PATH = "/completion"
# `none` is what the server reports of a job that nothing of its own ended.
REASONS = {"limit": LENGTH, "word": STOP, "eos": EOS, "none": CANCELLED}


def body(spec: JobSpec) -> dict[str, object]:
    members = present(n_predict=spec.max_tokens, temperature=spec.temperature, seed=spec.seed)
    members["prompt"] = list(spec.prompt_ids) if spec.by_ids else spec.prompts
    members |= present(stop=spec.stops, ignore_eos=spec.ignores_eos or None)
    members |= present(n_cmpl=spec.samples if spec.samples > 1 else None)
    members |= present(logit_bias=[[id, False] for id in spec.excluded_ids] or None)
    members |= {"stream": spec.stream, "cache_prompt": False}
    if spec.shows:
        members |= {"return_tokens": True, "n_probs": max(spec.alternatives, 1)}
    return spec.finished({**members, **spec.sampling})


def read(chunks: Sequence[Chunk], framing: Framing) -> Transcript:
    found = read_each(chunks, _event, Marker)
    return Transcript(_shown(found.events), (*found.breaches, *repeated(found.events)))


def _shown(events: Sequence[Event]) -> tuple[Event, ...]:
    """Without `return_tokens` the lists of token ids are there, and empty: then no ids are shown."""
    if any(isinstance(one, Tokens) and one.ids for one in events):
        return tuple(events)
    return tuple(replace(one, ids=None) if isinstance(one, Tokens) else one for one in events)


def _event(at: int, data: Mapping[str, object], events: list[Event], breaches: list[Breach]) -> None:
    if data.get("error") is not None:
        events.append(failure(at, data))
        return
    if "content" not in data and "stop" not in data:
        events.append(Metrics(at, data))
        return
    tokens = _tokens(at, data)
    breaches += _others(at, data, tokens)
    if tokens.text or tokens.ids or tokens.logprobs or data.get("stop") is not True:
        events.append(tokens)
    if data.get("stop") is True:
        events.append(_end(at, data, None))


def _others(at: int, data: Mapping[str, object], tokens: Tokens) -> list[Breach]:
    return of_others(at, tokens.ids, [integer(one.get("id")) for one in mappings(data.get("completion_probabilities"))])


def _tokens(at: int, data: Mapping[str, object]) -> Tokens:
    probabilities = data.get("completion_probabilities")
    logprobs = (
        tuple(number(one.get("logprob")) for one in mappings(probabilities))
        if isinstance(probabilities, list)
        else None
    )
    ids = integers(data.get("tokens"))
    if not ids and isinstance(probabilities, list):
        ids = integers([one.get("id") for one in mappings(probabilities)])
    tops = (
        tuple(alternatives(one.get("top_logprobs")) for one in mappings(probabilities))
        if logprobs is not None
        else None
    )
    count = 1 if data.get("stop") is not True else None
    return Tokens(at, text(data.get("content")), ids, logprobs, count=count, alternatives=tops)


def _end(at: int, data: Mapping[str, object], whole: str | None) -> End:
    written = data.get("stop_type", ABSENT)
    word = data.get("stopping_word", ABSENT)
    return End(
        at,
        meaning(REASONS, written),
        written,
        tokens=data.get("tokens_predicted", ABSENT),
        text=whole,
        matched=ABSENT if word == "" else word,
        seed=mapping(data.get("generation_settings")).get("seed", ABSENT),
        prompt_tokens=data.get("tokens_evaluated", ABSENT),
    )


def read_whole(found: object) -> Transcript:
    answer = mapping(found)
    if "content" not in answer:
        return Transcript()
    tokens = _tokens(0, answer)
    return Transcript(_shown((tokens, _end(0, answer, text(answer.get("content"))))), (*_others(0, answer, tokens),))


DIALECT = Dialect("llamacpp", PATH, PATH, body, read, read_whole, trims_stop=True, completes=True)
