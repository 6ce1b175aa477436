"""The dialect `tgi`: one event a token, the last of which has the whole text and, if asked for, details. The text includes a stop text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rollout_conformance.contracts.worker.wire_tgi import GenerateRequest, Grammar, Parameters
from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.worker import choices, native
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed, Job, Sampling, Scored, Token
from rollout_conformance.rollout_server.worker.native import Asked, NativeDialect, Result
from rollout_conformance.rollout_server.worker.scheduler import Scheduler
from rollout_conformance.rollout_server.worker.vocabulary import Vocabulary

REASONS = {"max_tokens": "length", "stop_sequence": "stop_sequence", "eos": "eos_token"}
# The status and the type of what is rejected, and of jobs that failed.
KINDS = {400: (422, "validation"), 503: (429, "overloaded"), 500: (424, "generation")}


def ask(body: Any, scheduler: Scheduler) -> Asked:
    request = native.parsed(GenerateRequest, body)
    prompt = scheduler.vocabulary.encode(request.inputs)
    most = native.within(request.parameters.max_new_tokens, prompt, scheduler)
    asked = job(request.parameters, prompt, most)
    return Asked(asked, False, TgiWriter(asked, scheduler.vocabulary, request))


def job(asked: Parameters, prompt: tuple[int, ...], most: int) -> Job:
    return Job(
        native.new_id(),
        prompt,
        most,
        sampling(asked),
        tuple(asked.stop),
        keep_stop=True,
        score_prompt=asked.decoder_input_details,
        alternatives=asked.top_n_tokens,
        choices=permitted(asked.grammar),
    )


def permitted(grammar: Grammar | None) -> tuple[str, ...]:
    if grammar is None:
        return ()
    return choices.of_regex(str(grammar.value)) if grammar.type == "regex" else choices.of_schema(grammar.value)


def sampling(asked: Parameters) -> Sampling:
    return Sampling(
        native.seed_of(asked.seed),
        (asked.temperature or 1.0) if samples(asked) else 0.0,
        asked.top_p or 1.0,
        asked.top_k or 0,
        repetition_penalty=asked.repetition_penalty,
        frequency_penalty=asked.frequency_penalty,
    )


def samples(asked: Parameters) -> bool:
    return asked.do_sample or any(one is not None for one in (asked.temperature, asked.top_k, asked.top_p))


@dataclass(slots=True)
class TgiWriter:
    job: Job
    vocabulary: Vocabulary
    request: GenerateRequest
    text: str = ""

    def opening(self) -> Iterator[bytes]:
        return iter(())

    def event(self, happened: Event) -> Iterator[bytes]:
        if isinstance(happened, Token):
            self.text += happened.text
            yield event(token_body(self, happened))
        elif isinstance(happened, Failed):
            yield event(error(native.failure(happened))[1])

    def whole(self, result: Result) -> Any:
        if result.ended is None:
            assert result.failed is not None
            raise native.failure(result.failed)
        body: dict[str, Any] = {"generated_text": shown(self, result.text)}
        if self.request.parameters.details:
            scores = [token(self, *one) for one in result.scores]
            body["details"] = details(self, result.ended) | {
                "prefill": scores,
                "tokens": [token(self, one.scored, one.top, one.text) for one in result.tokens],
            }
            if self.request.parameters.top_n_tokens:
                body["details"]["top_tokens"] = [[token(self, top) for top in one.top] for one in result.tokens]
        return body


def event(body: Any) -> bytes:
    """Without a space after the colon."""
    return b"data:" + json_text.dumps(body) + b"\n\n"


def token_body(writer: TgiWriter, happened: Token) -> dict[str, Any]:
    ended = happened.end
    body = {
        "index": happened.i + 1,
        "token": token(writer, happened.scored, happened.top, happened.text),
        "generated_text": shown(writer, writer.text) if ended else None,
        "details": details(writer, ended) if ended and writer.request.parameters.details else None,
    }
    top = [token(writer, one) for one in happened.top]
    return body | ({"top_tokens": top} if top else {})


def token(writer: TgiWriter, scored: Scored, top: Any = (), text: str | None = None) -> dict[str, Any]:
    """A token of the vocabulary; one of the output has the text that it adds."""
    special = scored.id in writer.vocabulary.special
    written = writer.vocabulary.text_of(scored.id) if special or text is None else text
    return {"id": scored.id, "text": written, "logprob": scored.logprob, "special": special}


def shown(writer: TgiWriter, text: str) -> str:
    return writer.request.inputs + text if writer.request.parameters.return_full_text else text


def details(writer: TgiWriter, ended: Ended) -> dict[str, Any]:
    seed = writer.job.sampling.seed if samples(writer.request.parameters) else None
    return {"finish_reason": REASONS[ended.reason], "generated_tokens": ended.tokens_out, "seed": seed}


def error(error: JobError) -> tuple[int, Any]:
    status, kind = KINDS.get(error.status, (error.status, "validation"))
    return status, {"error": error.message, "error_type": kind}


DIALECT = NativeDialect(ask, error)
