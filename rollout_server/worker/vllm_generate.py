"""The dialect `vllm-generate`: tokens in, tokens out, each chunk of a stream with the new tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import time
from typing import Any

from rollout_conformance.contracts.worker.wire_vllm import AbortRequest, GenerateRequest, SamplingParams
from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.worker import native
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.jobs import (
    Ended,
    Event,
    Failed,
    Job,
    Ranking,
    Sampling,
    Scored,
    Token,
)
from rollout_conformance.rollout_server.worker.native import Asked, NativeDialect, Result
from rollout_conformance.rollout_server.worker.scheduler import Scheduler

VERSION = "default"  # of the weights, which never change here
REASONS = {"max_tokens": "length", "stop_sequence": "stop", "eos": "stop"}


def ask(body: Any, scheduler: Scheduler) -> Asked:
    request = native.parsed(GenerateRequest, body)
    prompt = native.known(request.token_ids, scheduler)
    asked = job(request, prompt, native.room(prompt, scheduler))
    return Asked(asked, request.stream, VllmWriter(asked, scheduler.model.name, request))


def job(request: GenerateRequest, prompt: tuple[int, ...], free: int) -> Job:
    """What exceeds the context is cut: `max_tokens` is an upper bound."""
    asked = request.sampling_params
    return Job(
        request.request_id or native.new_id(),
        prompt,
        min(asked.max_tokens or free, free),
        sampling(asked),
        tuple(asked.stop),
        frozenset(asked.stop_token_ids),
        ignore_eos=asked.ignore_eos,
        keep_stop=asked.include_stop_str_in_output,
        score_prompt=asked.prompt_logprobs is not None,
        alternatives=asked.logprobs or 0,
        prompt_alternatives=asked.prompt_logprobs or 0,
        min_tokens=asked.min_tokens,
    )


def sampling(asked: SamplingParams) -> Sampling:
    return Sampling(
        seed=native.seed_of(asked.seed),
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=native.positive(asked.top_k),
        min_p=asked.min_p,
        repetition_penalty=asked.repetition_penalty,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
        bias=tuple(asked.logit_bias.items()),
    )


@dataclass(slots=True)
class VllmWriter:
    job: Job
    model: str
    request: GenerateRequest
    tokens: int = 0

    def opening(self) -> Iterator[bytes]:
        return iter(())

    def event(self, happened: Event) -> Iterator[bytes]:
        if isinstance(happened, Token):
            self.tokens += 1
            yield chunk(self, choice(self, [happened], happened.end))
        elif isinstance(happened, Failed) and happened.code == "CANCELLED":
            yield chunk(self, aborted(self, []))
        elif isinstance(happened, Failed):
            yield sse.event(error(native.failure(happened))[1])
        if isinstance(happened, Ended | Failed):
            yield from last(self)

    def whole(self, result: Result) -> Any:
        self.tokens = len(result.tokens)
        if result.failed is not None and result.failed.code != "CANCELLED":
            raise native.failure(result.failed)
        made = choice(self, result.tokens, result.ended) if result.ended else aborted(self, result.tokens)
        return {
            "request_id": self.job.id,
            "model": self.model,
            "created": int(time()),
            "usage": usage(self),
            "prompt_logprobs": prompt_logprobs(result.scores) if self.job.score_prompt else None,
            "output_mode": self.request.output_mode,
            "choices": [made],
        }


def chunk(writer: VllmWriter, made: dict[str, Any] | None, counted: Any = None) -> bytes:
    return sse.event(
        {
            "request_id": writer.job.id,
            "usage": counted,
            "output_mode": writer.request.output_mode,
            "choices": [made] if made is not None else [],
        }
    )


def last(writer: VllmWriter) -> Iterator[bytes]:
    options = writer.request.stream_options
    if options is not None and options.include_usage:
        yield chunk(writer, None, usage(writer))
    yield sse.DONE_EVENT


def choice(writer: VllmWriter, tokens: Sequence[Token], ended: Ended | None) -> dict[str, Any]:
    made = {
        "index": 0,
        "finish_reason": REASONS[ended.reason] if ended else None,
        "stop_reason": stop_reason(ended) if ended else None,
        "token_ids": [token.scored.id for token in tokens],
        "weight_versions": weight_versions(writer.tokens) if ended else None,
        "logprobs": logprobs(tokens) if writer.request.sampling_params.logprobs is not None else None,
    }
    text = "".join(token.text for token in tokens)
    return made | ({"text": text} if writer.request.output_mode == "text" else {})


def aborted(writer: VllmWriter, tokens: Sequence[Token]) -> dict[str, Any]:
    return choice(writer, tokens, None) | {"finish_reason": "abort"}


def stop_reason(ended: Ended) -> str | int | None:
    return ended.matched if ended.matched is not None else ended.stop_id


def weight_versions(tokens: int) -> list[dict[str, Any]]:
    """Which tokens were generated with which weights."""
    return [{"version": VERSION, "start": 0, "end": tokens}]


def logprobs(tokens: Sequence[Token]) -> dict[str, Any]:
    return {"content": [{**scored(one.scored), "top_logprobs": [scored(top) for top in one.top]} for one in tokens]}


def scored(one: Scored) -> dict[str, Any]:
    return {"token_id": one.id, "logprob": one.logprob, "rank": one.rank}


def prompt_logprobs(scores: Sequence[Ranking]) -> list[Any]:
    """None for the first token, then those of each, the alternatives included."""
    return [
        None,
        *({str(a.id): {"logprob": a.logprob, "rank": a.rank} for a in (one, *top)} for one, top in scores),
    ]


def usage(writer: VllmWriter) -> dict[str, int]:
    prompt = len(writer.job.prompt)
    return {"prompt_tokens": prompt, "completion_tokens": writer.tokens, "total_tokens": prompt + writer.tokens}


def error(error: JobError) -> tuple[int, Any]:
    return error.status, {"error": native.rejected_json(error) | {"param": None}}


def aborted_ids(body: Any) -> list[str]:
    return native.parsed(AbortRequest, body).request_ids


def parts(body: Any) -> list[Any]:
    return native.samples(body, "n", "seed", "request_id", within="sampling_params")


def joined(bodies: Sequence[Any]) -> Any:
    """One response with a choice for each sample."""
    first = bodies[0]
    counted = sum(one["usage"]["completion_tokens"] for one in bodies)
    total = first["usage"]["prompt_tokens"] + counted
    choices = [{**one["choices"][0], "index": n} for n, one in enumerate(bodies)]
    return {
        **first,
        "usage": {**first["usage"], "completion_tokens": counted, "total_tokens": total},
        "choices": choices,
    }


DIALECT = NativeDialect(ask, error, parts, joined)
