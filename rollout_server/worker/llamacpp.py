"""The dialect `llamacpp`: events with the new text, the last of which has `stop: true`, the counters and the settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.contracts.worker.wire_llamacpp import CompletionRequest
from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.worker import choices, native
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed, Job, Sampling, Scored, Token
from rollout_conformance.rollout_server.worker.native import Asked, NativeDialect, Result
from rollout_conformance.rollout_server.worker.sampler import EXCLUDED
from rollout_conformance.rollout_server.worker.scheduler import Scheduler
from rollout_conformance.rollout_server.worker.vocabulary import Vocabulary

REASONS = {"max_tokens": "limit", "stop_sequence": "word", "eos": "eos"}
KINDS = {503: "unavailable_error"}
UNLIMITED = -1
MILLISECONDS = 1000


def ask(body: Any, scheduler: Scheduler) -> Asked:
    request = native.parsed(CompletionRequest, body)
    if request.n_predict == 0:
        raise native.refused("n_predict: must not be 0")
    prompt = prompt_ids(request, scheduler)
    free = native.room(prompt, scheduler)
    most = free if request.n_predict == UNLIMITED else native.within(request.n_predict, prompt, scheduler)
    asked = job(request, prompt, most)
    return Asked(asked, request.stream, LlamaWriter(asked, scheduler.model.name, scheduler.vocabulary, request))


def prompt_ids(request: CompletionRequest, scheduler: Scheduler) -> tuple[int, ...]:
    parts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
    ids: list[int] = []
    for part in parts:
        ids += scheduler.vocabulary.encode(part) if isinstance(part, str) else [part]
    return native.known(ids, scheduler)


def job(request: CompletionRequest, prompt: tuple[int, ...], most: int) -> Job:
    return Job(
        native.new_id(),
        prompt,
        most,
        sampling(request),
        tuple(request.stop),
        ignore_eos=request.ignore_eos,
        alternatives=request.n_probs,
        choices=permitted(request),
    )


def permitted(request: CompletionRequest) -> tuple[str, ...]:
    if request.json_schema is not None:
        return choices.of_schema(request.json_schema)
    return choices.of_grammar(request.grammar) if request.grammar else ()


def sampling(request: CompletionRequest) -> Sampling:
    """What is out of a range restricts nothing."""
    return Sampling(
        seed=native.seed_of(None if request.seed == -1 else request.seed),
        temperature=max(request.temperature, 0.0),
        top_p=request.top_p if 0 < request.top_p < 1 else 1.0,
        top_k=native.positive(request.top_k),
        min_p=request.min_p if 0 < request.min_p <= 1 else 0.0,
        repetition_penalty=request.repeat_penalty,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
        bias=tuple((id, EXCLUDED if value is False else float(value)) for id, value in request.logit_bias),
    )


@dataclass(slots=True)
class LlamaWriter:
    job: Job
    model: str
    vocabulary: Vocabulary
    request: CompletionRequest

    def opening(self) -> Iterator[bytes]:
        return iter(())

    def event(self, happened: Event) -> Iterator[bytes]:
        if isinstance(happened, Token):
            yield sse.event(token_body(self, happened))
        elif isinstance(happened, Ended):
            yield sse.event(final(self, happened, "", []))
        elif isinstance(happened, Failed):
            yield sse.event(error(native.failure(happened))[1])

    def whole(self, result: Result) -> Any:
        if result.ended is None:
            assert result.failed is not None
            raise native.failure(result.failed)
        body = final(self, result.ended, result.text, result.ids if self.request.return_tokens else [])
        return body | probabilities(self, result.tokens)


def token_body(writer: LlamaWriter, token: Token) -> dict[str, Any]:
    return {
        "index": 0,
        "content": token.text,
        "tokens": [token.scored.id],
        "stop": False,
        "id_slot": 0,
        "tokens_predicted": token.i + 1,
        "tokens_evaluated": len(writer.job.prompt),
        **probabilities(writer, [token]),
    }


def probabilities(writer: LlamaWriter, tokens: Sequence[Token]) -> dict[str, Any]:
    if not writer.request.n_probs:
        return {}
    shown = [{**scored(writer, one.scored), "top_logprobs": [scored(writer, top) for top in one.top]} for one in tokens]
    return {"completion_probabilities": shown}


def scored(writer: LlamaWriter, one: Scored) -> dict[str, Any]:
    bytes_ = list(writer.vocabulary.pieces[one.id])
    return {"id": one.id, "token": writer.vocabulary.text_of(one.id), "bytes": bytes_, "logprob": one.logprob}


def final(writer: LlamaWriter, ended: Ended, text: str, ids: list[int]) -> dict[str, Any]:
    return {
        "index": 0,
        "content": text,
        "tokens": ids,
        "id_slot": 0,
        "stop": True,
        "model": writer.model,
        "tokens_predicted": ended.tokens_out,
        "tokens_evaluated": len(writer.job.prompt),
        "generation_settings": settings(writer),
        "truncated": False,
        "stop_type": REASONS[ended.reason],
        "stopping_word": ended.matched or "",
        "timings": timings(writer, ended),
    }


def settings(writer: LlamaWriter) -> dict[str, Any]:
    used = writer.job.sampling
    return {
        "n_predict": writer.request.n_predict,
        "seed": used.seed,
        "temperature": used.temperature,
        "top_k": used.top_k,
        "top_p": used.top_p,
        "min_p": used.min_p,
        "repeat_penalty": used.repetition_penalty,
        "stop": [*writer.job.stop],
    }


def timings(writer: LlamaWriter, ended: Ended) -> dict[str, Any]:
    seconds = max(ended.seconds, 1e-6)
    return {
        "prompt_n": len(writer.job.prompt),
        "predicted_n": ended.tokens_out,
        "predicted_ms": round(seconds * MILLISECONDS, 3),
        "predicted_per_second": round(ended.tokens_out / seconds, 3),
    }


def error(error: JobError) -> tuple[int, Any]:
    body = native.rejected_json(error)
    return error.status, {"error": body | {"type": KINDS.get(error.status, body["type"])}}


def parts(body: Any) -> list[Any]:
    """Several prompts, each with its samples."""
    return [sample for one in prompts(body) for sample in native.samples(one, "n_cmpl", "seed")]


def prompts(body: Any) -> list[Any]:
    """A list of texts, or with a list in it, is several prompts; one of ids and texts is one."""
    given = body.get("prompt") if isinstance(body, Mapping) else None
    if not isinstance(given, list) or len(given) < 2 or not all(isinstance(one, str | list) for one in given):
        return [body]
    return [{**body, "prompt": one} for one in given]


DIALECT = NativeDialect(ask, error, parts)
