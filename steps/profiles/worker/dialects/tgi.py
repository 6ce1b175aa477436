"""The dialect `tgi`: POST /generate_stream with one event a token, the last of which has the whole text; POST /generate without a stream.
A job has no id, and ends when its client disconnects."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from rollout_conformance.steps.engine.json_diff import ABSENT
from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings, text
from rollout_conformance.steps.profiles.worker.dialects.base import (
    Dialect,
    Framing,
    alternatives,
    integer,
    meaning,
    member,
    number,
    read_each,
    repeated,
)
from rollout_conformance.steps.profiles.worker.events import (
    EOS,
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
)
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec, present
from rollout_conformance.steps.sse.streams import Chunk

REASONS = {"length": LENGTH, "eos_token": EOS, "stop_sequence": STOP}


def body(spec: JobSpec) -> dict[str, object]:
    parameters = present(max_new_tokens=spec.max_tokens, seed=spec.seed)
    if spec.temperature:
        parameters |= {"temperature": spec.temperature, "do_sample": True}
    parameters |= present(stop=spec.stops, details=spec.shows or None, top_n_tokens=spec.alternatives or None)
    return spec.finished({"inputs": spec.prompt, "parameters": {**parameters, **spec.sampling}})


def read(chunks: Sequence[Chunk], framing: Framing) -> Transcript:
    found = read_each(chunks, _event, Marker)
    return Transcript(found.events, (*found.breaches, *repeated(found.events)))


def _event(at: int, data: Mapping[str, object], events: list[Event], breaches: list[Breach]) -> None:
    if data.get("error") is not None:
        events.append(Failure(at, data.get("error_type", ABSENT), data.get("error")))
        return
    token = data.get("token")
    if not isinstance(token, Mapping) and data.get("generated_text") is None:
        events.append(Metrics(at, data))
        return
    if isinstance(token, Mapping):
        events.append(_token(at, token, data.get("top_tokens")))
    if data.get("generated_text") is not None or isinstance(data.get("details"), Mapping):
        events.append(_end(at, data))


def _token(at: int, token: Mapping[str, object], top: object) -> Tokens:
    id = integer(token.get("id"))
    logprobs = (number(token["logprob"]),) if "logprob" in token else None
    ids = (id,) if id is not None else None
    tops = (alternatives(top),) if isinstance(top, list) else None
    return Tokens(
        at, text(token.get("text")), ids, logprobs, is_special=token.get("special") is True, alternatives=tops
    )


def _end(at: int, data: Mapping[str, object]) -> End:
    details = mapping(data.get("details"))
    written = details.get("finish_reason", ABSENT)
    whole = data.get("generated_text")
    return End(
        at,
        meaning(REASONS, written),
        written,
        tokens=details.get("generated_tokens", ABSENT),
        text=whole if isinstance(whole, str) else None,
        seed=details.get("seed", ABSENT),
    )


def read_whole(found: object) -> Transcript:
    answer = mapping(found) or mapping(next(iter(listed(found)), None))
    if "generated_text" not in answer:
        return Transcript()
    shown, tops = mappings(member(answer, "details", "tokens")), listed(member(answer, "details", "top_tokens"))
    tokens = [_token(0, token, top) for token, top in zip_longest(shown, tops[: len(shown)])]
    return Transcript((*tokens, _end(0, answer)))


DIALECT = Dialect(
    "tgi",
    "/generate_stream",
    "/generate",
    body,
    read,
    read_whole,
    takes_ids=False,
)
