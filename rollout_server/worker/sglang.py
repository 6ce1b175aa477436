"""The dialect `sglang`: each event of a stream holds all that was generated so far."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.contracts.worker.wire_sglang import AbortRequest, GenerateRequest, SamplingParams
from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.worker import choices, native
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed, Job, Sampling, Scored, Token
from rollout_conformance.rollout_server.worker.native import Asked, NativeDialect, Result
from rollout_conformance.rollout_server.worker.scheduler import Scheduler

VERSION = "default"  # of the weights, which never change here


def ask(body: Any, scheduler: Scheduler) -> Asked:
    request = native.parsed(GenerateRequest, body)
    prompt = prompt_ids(request, scheduler)
    most = native.within(request.sampling_params.max_new_tokens, prompt, scheduler)
    asked = job(request, prompt, most)
    return Asked(asked, request.stream, SglangWriter(asked, request))


def prompt_ids(request: GenerateRequest, scheduler: Scheduler) -> tuple[int, ...]:
    if request.text is not None:
        return scheduler.vocabulary.encode(request.text)
    return native.known(request.input_ids or [], scheduler)


def job(request: GenerateRequest, prompt: tuple[int, ...], most: int) -> Job:
    asked = request.sampling_params
    return Job(
        request.rid or native.new_id(),
        prompt,
        most,
        sampling(asked),
        tuple(asked.stop),
        frozenset(asked.stop_token_ids),
        ignore_eos=asked.ignore_eos,
        keep_stop=asked.no_stop_trim,
        score_prompt=request.return_logprob and request.logprob_start_len >= 0,
        alternatives=request.top_logprobs_num,
        min_tokens=asked.min_new_tokens,
        choices=permitted(asked),
    )


def permitted(asked: SamplingParams) -> tuple[str, ...]:
    if asked.json_schema is not None:
        return choices.of_schema_text(asked.json_schema)
    if asked.regex is not None:
        return choices.of_regex(asked.regex)
    return choices.of_grammar(asked.ebnf) if asked.ebnf is not None else ()


def sampling(asked: SamplingParams) -> Sampling:
    return Sampling(
        seed=native.seed_of(asked.sampling_seed),
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=native.positive(asked.top_k),
        min_p=asked.min_p,
        repetition_penalty=asked.repetition_penalty,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
    )


@dataclass(slots=True)
class SglangWriter:
    job: Job
    request: GenerateRequest
    result: Result = field(default_factory=Result)

    def opening(self) -> Iterator[bytes]:
        return iter(())

    def event(self, happened: Event) -> Iterator[bytes]:
        native.add(self.result, happened)
        if isinstance(happened, Token):
            yield sse.event(body(self, self.result, finish_reason(happened.end, self.job)))
        elif isinstance(happened, Failed) and happened.code == "CANCELLED":
            yield sse.event(body(self, self.result, aborted(happened)))
        elif isinstance(happened, Failed):
            yield sse.event(error(native.failure(happened))[1])
        if isinstance(happened, Ended | Failed):
            yield sse.DONE_EVENT

    def whole(self, result: Result) -> Any:
        if result.failed is not None and result.failed.code != "CANCELLED":
            raise native.failure(result.failed)
        reason = aborted(result.failed) if result.failed else finish_reason(result.ended, self.job)
        return body(self, result, reason)


def body(writer: SglangWriter, result: Result, reason: dict[str, Any] | None) -> dict[str, Any]:
    return {"text": result.text, "output_ids": result.ids, "meta_info": meta(writer, result, reason)}


def meta(writer: SglangWriter, result: Result, reason: dict[str, Any] | None) -> dict[str, Any]:
    info: dict[str, Any] = {
        "id": writer.job.id,
        "finish_reason": reason,
        "prompt_tokens": len(writer.job.prompt),
        "completion_tokens": len(result.tokens),
        "cached_tokens": 0,
        "weight_version": VERSION,
    }
    if writer.request.return_logprob:
        info["output_token_logprobs"] = logprobs(result)
    if writer.request.return_logprob and writer.job.alternatives:
        info["output_top_logprobs"] = [[row(top) for top in token.top] for token in result.tokens]
    if writer.job.score_prompt:
        info["input_token_logprobs"] = prompt_logprobs(writer, result)
    return info


def prompt_logprobs(writer: SglangWriter, result: Result) -> list[Any]:
    """The first token of a prompt has none."""
    rows = [[None, writer.job.prompt[0], None], *(row(one) for one, _ in result.scores)]
    return rows[writer.request.logprob_start_len :]


def logprobs(result: Result) -> list[Any]:
    return [row(token.scored) for token in result.tokens]


def row(scored: Scored) -> list[Any]:
    """Log probability, id, and the text that is not given."""
    return [scored.logprob, scored.id, None]


def finish_reason(ended: Ended | None, job: Job) -> dict[str, Any] | None:
    if ended is None:
        return None
    if ended.reason == "max_tokens":
        return {"type": "length", "length": job.max_tokens}
    return {"type": "stop"} | ({"matched": matched(ended)} if ended.reason == "stop_sequence" else {})


def matched(ended: Ended) -> str | int | None:
    return ended.matched if ended.matched is not None else ended.stop_id


def aborted(failed: Failed) -> dict[str, Any]:
    return {"type": "abort", "message": failed.message}


def error(error: JobError) -> tuple[int, Any]:
    return error.status, {"error": native.rejected_json(error)}


def aborted_id(body: Any) -> str | None:
    """The id of the job; None for all of them."""
    request = native.parsed(AbortRequest, body)
    if request.abort_all:
        return None
    if not request.rid:
        raise native.refused("rid: Field required")
    return request.rid


def parts(body: Any) -> list[Any]:
    """Several prompts, each with its samples."""
    return [
        sample
        for one in prompts(body)
        for sample in native.samples(one, "n", "sampling_seed", "rid", within="sampling_params")
    ]


def prompts(body: Any) -> list[Any]:
    """A list of texts, or of lists of ids, is a batch; it may have a list of ids of its jobs, and of sampling parameters."""
    name = "text" if isinstance(body, Mapping) and isinstance(body.get("text"), list) else "input_ids"
    given = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(given, list) or not all(isinstance(one, str | list) for one in given):
        return [body]
    shared = {"rid": None, **{key: value for key, value in body.items() if key != name}}
    lists = {key: value for key, value in shared.items() if isinstance(value, list) and len(value) == len(given)}
    return [{**shared, **{key: lists[key][n] for key in lists}, name: one} for n, one in enumerate(given)]


DIALECT = NativeDialect(ask, error, parts)
