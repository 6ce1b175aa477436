"""Defects of the native dialects."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rollout_conformance.contracts.worker.wire_tgi import Parameters
from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.mutants.framework import after, around, put
from rollout_conformance.rollout_server.mutants.worker.patches import LLAMA, SGLANG, TGI, VLLM, changed, mutant, without
from rollout_conformance.rollout_server.worker import llamacpp, sglang, tgi, vllm_generate
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed, Job, Token
from rollout_conformance.rollout_server.worker.llamacpp import LlamaWriter
from rollout_conformance.rollout_server.worker.native import Result
from rollout_conformance.rollout_server.worker.sglang import SglangWriter
from rollout_conformance.rollout_server.worker.tgi import TgiWriter
from rollout_conformance.rollout_server.worker.vllm_generate import VllmWriter

USUAL = 16


def _fewer(content: list[Any]) -> list[Any]:
    return content[:-1]


def _shown_ids(original: Any, writer: VllmWriter, tokens: Any, ended: Any) -> Any:
    """Each chunk has all ids so far, and the new log probabilities."""
    seen = SEEN.setdefault(writer.job.id, [])
    seen += [token.scored.id for token in tokens]
    ids = [*seen]
    if ended is not None:
        SEEN.pop(writer.job.id)
    return original(writer, tokens, ended) | {"token_ids": ids}


SEEN: dict[str, list[int]] = {}


def _of_the_newest(result: Result) -> list[Any]:
    return [[token.scored.logprob, token.scored.id, None] for token in result.tokens[-1:]]


def _new_ids(original: Any, writer: SglangWriter, result: Result, reason: Any) -> Any:
    return original(writer, result, reason) | {"output_ids": result.ids[-1:]}


def _whole_only(original: Any, self: Any, result: Result) -> Any:
    """Without a stream a job has one token less."""
    if len(result.tokens) > 1:
        result = Result(result.tokens[:-1], result.scores, result.ended, result.failed)
    return original(self, result)


def _trimmed_ids(original: Any, writer: VllmWriter, tokens: Any, ended: Any) -> Any:
    """The tokens of a stop text are removed from the ids of a response that is no stream."""
    body = original(writer, tokens, ended)
    stopped = ended is not None and ended.reason == "stop_sequence" and len(tokens) > 1
    return body | {"token_ids": body["token_ids"][:-1]} if stopped else body


def _trimmed_sglang(original: Any, writer: SglangWriter, result: Result, reason: Any) -> Any:
    body = original(writer, result, reason)
    return body | {"output_ids": body["output_ids"][:-1]} if reason and "matched" in reason else body


def _never_ending(original: Any, self: Any, happened: Event) -> Iterator[bytes]:
    """Nothing says that the job has ended."""
    if isinstance(happened, Token):
        happened = replace(happened, end=None)
    if not isinstance(happened, Ended):
        yield from original(self, happened)


def _twice(original: Any, self: Any, happened: Event) -> Iterator[bytes]:
    """The last event is sent again."""
    written = [*original(self, happened)]
    yield from written
    ended = (
        isinstance(happened, Ended) if isinstance(self, LlamaWriter) else isinstance(happened, Token) and happened.end
    )
    if ended:
        yield written[-1]


def _after_done(original: Any, self: Any, happened: Event) -> Iterator[bytes]:
    yield from original(self, happened)
    if isinstance(happened, Ended | Failed):
        yield sse.event({"choices": [], "text": "", "usage": None, "meta_info": {"finish_reason": None}})


def _usage_short(usage: dict[str, int]) -> dict[str, int]:
    return usage | {"completion_tokens": usage["completion_tokens"] - 1}


def _few(original: Any, request: Any, prompt: Any, free: int) -> Job:
    """max_tokens is 16 by default."""
    job: Job = original(request, prompt, free)
    return job if request.sampling_params.max_tokens else replace(job, max_tokens=min(USUAL, job.max_tokens))


def _few_predicted(original: Any, request: Any, prompt: Any, free: int) -> Job:
    job: Job = original(request, prompt, free)
    return job if request.n_predict > 0 else replace(job, max_tokens=min(USUAL, job.max_tokens))


def _tgi_few(original: Any, parameters: Parameters, prompt: Any, most: int) -> Job:
    given = "max_new_tokens" in parameters.model_fields_set
    return original(parameters, prompt, most if given else USUAL)  # type: ignore[no-any-return]


def _sglang_few(original: Any, request: Any, prompt: Any, most: int) -> Job:
    given = "max_new_tokens" in request.sampling_params.model_fields_set
    return original(request, prompt, most if given else USUAL)  # type: ignore[no-any-return]


def _text_stripped(original: Any, writer: TgiWriter, text: str) -> str:
    return str(original(writer, text)).strip()[:-1]


def _stop_as_length(original: Any, failed: Failed) -> dict[str, Any]:
    return {"type": "length", "length": failed.tokens_out}


def _abort_as_stop(original: Any, writer: VllmWriter, tokens: Any) -> Any:
    return original(writer, tokens) | {"finish_reason": "stop"}


def _gap(original: Any, tokens: int) -> Any:
    return [{"version": "default", "start": 1, "end": tokens}]


def _word(original: Any, writer: LlamaWriter, ended: Ended, text: str, ids: list[int]) -> Any:
    return original(writer, ended, text, ids) | {"stop_type": "word" if ended.reason == "max_tokens" else "limit"}


def _seed_other(original: Any, writer: LlamaWriter) -> Any:
    found = original(writer)
    return found | {"seed": found["seed"] ^ 1}


MUTANTS = (
    mutant(
        "vllm_logprobs_fewer",
        "102",
        "a chunk has fewer log probabilities than tokens",
        after(vllm_generate, "logprobs", changed("content", _fewer)),
        VLLM,
        "103",
        "118",
    ),
    mutant(
        "sglang_logprobs_fewer",
        "102",
        "there is a log probability less than tokens",
        after(sglang, "logprobs", _fewer),
        SGLANG,
        "103",
    ),
    mutant(
        "vllm_ids_cumulative",
        "104",
        "each chunk repeats all ids",
        around(vllm_generate, "choice", _shown_ids),
        VLLM,
        "102",
    ),
    mutant(
        "sglang_ids_new",
        "104",
        "the ids of an event are only the new ones",
        around(sglang, "body", _new_ids),
        SGLANG,
        "009",  # a token that repeats the one before looks like an event without a new one
        "102",
        "103",
    ),
    mutant(
        "sglang_logprobs_new",
        "104",
        "the log probabilities of an event are only the new ones",
        put(sglang, "logprobs", _of_the_newest),
        SGLANG,
        "102",
        "103",
    ),
    mutant(
        "vllm_whole_differs",
        "103",
        "without a stream the last token is missing",
        around(VllmWriter, "whole", _whole_only),
        VLLM,
    ),
    mutant(
        "sglang_whole_differs",
        "103",
        "without a stream the last token is missing",
        around(SglangWriter, "whole", _whole_only),
        SGLANG,
    ),
    mutant(
        "tgi_whole_differs",
        "103",
        "without a stream the last token is missing",
        around(TgiWriter, "whole", _whole_only),
        TGI,
        "009",
    ),
    mutant(
        "llamacpp_whole_differs",
        "103",
        "without a stream the last token is missing",
        around(LlamaWriter, "whole", _whole_only),
        LLAMA,
        "009",
    ),
    mutant(
        "tgi_text_cut", "105", "generated_text is not the text of the tokens", around(tgi, "shown", _text_stripped), TGI
    ),
    mutant(
        "vllm_stop_ids_cut",
        "106",
        "the last token of a stop text is not shown",
        around(vllm_generate, "choice", _trimmed_ids),
        VLLM,
        "009",
        "102",
        "116",
    ),
    mutant(
        "sglang_stop_ids_cut",
        "106",
        "the last token of a stop text is not shown",
        around(sglang, "body", _trimmed_sglang),
        SGLANG,
        "009",
        "102",
    ),
    mutant("vllm_no_end", "005", "no chunk has a finish_reason", around(VllmWriter, "event", _never_ending), VLLM),
    mutant(
        "sglang_no_end", "005", "no event has a finish_reason", around(SglangWriter, "event", _never_ending), SGLANG
    ),
    mutant("tgi_no_end", "005", "no event has the whole text", around(TgiWriter, "event", _never_ending), TGI),
    mutant("llamacpp_no_end", "005", "no event has stop: true", around(LlamaWriter, "event", _never_ending), LLAMA),
    mutant("vllm_end_twice", "006", "the last chunk is sent twice", around(VllmWriter, "event", _twice), VLLM, "005"),
    mutant(
        "sglang_end_twice", "006", "the last event is sent twice", around(SglangWriter, "event", _twice), SGLANG, "005"
    ),
    mutant("tgi_end_twice", "006", "the last event is sent twice", around(TgiWriter, "event", _twice), TGI, "005"),
    mutant(
        "llamacpp_end_twice", "006", "the last event is sent twice", around(LlamaWriter, "event", _twice), LLAMA, "005"
    ),
    mutant("vllm_after_done", "006", "an event follows [DONE]", around(VllmWriter, "event", _after_done), VLLM),
    mutant("sglang_after_done", "006", "an event follows [DONE]", around(SglangWriter, "event", _after_done), SGLANG),
    mutant(
        "vllm_usage_short",
        "009",
        "completion_tokens is one less than the tokens",
        after(vllm_generate, "usage", _usage_short),
        VLLM,
        "012",
        "127",
    ),
    mutant(
        "sglang_counter_short",
        "009",
        "completion_tokens is one less than the tokens",
        after(sglang, "meta", changed("completion_tokens", lambda count: count - 1)),
        SGLANG,
        "012",
    ),
    mutant(
        "tgi_counter_short",
        "009",
        "generated_tokens is one less than the tokens",
        after(tgi, "details", changed("generated_tokens", lambda count: count - 1)),
        TGI,
        "012",
    ),
    mutant(
        "llamacpp_counter_short",
        "009",
        "tokens_predicted is one less than the tokens",
        after(llamacpp, "final", changed("tokens_predicted", lambda count: count - 1)),
        LLAMA,
        "012",
    ),
    mutant("vllm_default_tokens", "117", "max_tokens is 16 by default", around(vllm_generate, "job", _few), VLLM),
    mutant(
        "sglang_default_tokens", "117", "max_new_tokens is 16 by default", around(sglang, "job", _sglang_few), SGLANG
    ),
    mutant("tgi_default_tokens", "117", "max_new_tokens is 16 by default", around(tgi, "job", _tgi_few), TGI),
    mutant(
        "llamacpp_default_tokens", "117", "n_predict is 16 by default", around(llamacpp, "job", _few_predicted), LLAMA
    ),
    mutant(
        "vllm_abort_as_stop",
        "110",
        "an aborted job reports stop",
        around(vllm_generate, "aborted", _abort_as_stop),
        VLLM,
    ),
    mutant(
        "sglang_abort_as_length",
        "110",
        "an aborted job reports length",
        around(sglang, "aborted", _stop_as_length),
        SGLANG,
    ),
    mutant(
        "vllm_versions_gap",
        "116",
        "weight_versions leave out the first token",
        around(vllm_generate, "weight_versions", _gap),
        VLLM,
    ),
    mutant(
        "llamacpp_reason_swapped",
        "012",
        "stop_type is word at the limit, and limit at a stop text",
        around(llamacpp, "final", _word),
        LLAMA,
        "013",
    ),
    mutant(
        "llamacpp_seed_other",
        "036",
        "the reported seed is not the one that was used",
        around(llamacpp, "settings", _seed_other),
        LLAMA,
    ),
    mutant("tgi_seed_missing", "036", "details have no seed", after(tgi, "details", without("seed")), TGI),
)
