"""Defects of what a job requests beside its prompt: alternatives, a minimum of tokens, tokens that it excludes; and of prompts and counters."""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from rollout_conformance.contracts.rollout.wire import Number
from rollout_conformance.contracts.worker import wire_tgi, wire_vllm
from rollout_conformance.contracts.worker.wire_types import default
from rollout_conformance.rollout_server.mutants.framework import after, around, every, put
from rollout_conformance.rollout_server.mutants.worker.patches import (
    ALL,
    LLAMA,
    SGLANG,
    TGI,
    VLLM,
    Body,
    mutant,
    without,
)
from rollout_conformance.rollout_server.worker import (
    llamacpp,
    native,
    native_endpoints,
    sampler,
    sglang,
    tgi,
    vllm_generate,
)
from rollout_conformance.rollout_server.worker.generation import Generation
from rollout_conformance.rollout_server.worker.jobs import Job, Sampling
from rollout_conformance.rollout_server.worker.sampler import Sampler
from rollout_conformance.rollout_server.worker.scheduler import Scheduler, Ticket

NATIVE = (*VLLM, *SGLANG, *TGI, *LLAMA)
READ = 64  # tokens of a prompt that a model with a short window reads
USUAL_TEMPERATURE = 0.8


def _fewer(original: Any, logits: Any, id: int, alternatives: int = 0) -> Any:
    return original(logits, id, max(alternatives - 1, 0))


def _more(original: Any, logits: Any, id: int, alternatives: int = 0) -> Any:
    return original(logits, id, alternatives + 1 if alternatives > 1 else alternatives)


def _without_minimum(original: Any, *given: Any) -> Job:
    made: Job = original(*given)
    return replace(made, min_tokens=0)


def _without_bias(original: Any, self: Sampler, sampling: Sampling, vocab_size: int) -> None:
    original(self, replace(sampling, bias=()), vocab_size)


def _end_of_prompt(original: Any, self: Generation, job: Job, model: Any, vocabulary: Any) -> None:
    original(self, replace(job, prompt=job.prompt[-READ:]), model, vocabulary)


def _without_grammar(original: Any, self: Generation, job: Job, model: Any, vocabulary: Any) -> None:
    original(self, replace(job, choices=()), model, vocabulary)


class _AnyVllmTopP(wire_vllm.SamplingParams):
    top_p: Annotated[Number, default(1.0)] = 1.0


class AnyVllmTopP(wire_vllm.GenerateRequest):
    sampling_params: Annotated[_AnyVllmTopP, default({})] = Field(default_factory=_AnyVllmTopP)


class _AnyTgiTopP(wire_tgi.Parameters):
    top_p: Number | None = None


class AnyTgiTopP(wire_tgi.GenerateRequest):
    parameters: Annotated[_AnyTgiTopP, default({})] = Field(default_factory=_AnyTgiTopP)


def _never_finished(original: Any, self: Scheduler, ticket: Ticket, code: str) -> None:
    """A job whose model failed stays in its slot."""
    original(self, ticket, code)
    if code == "INFERENCE_FAILED":
        self.lost = getattr(self, "lost", 0) + 1  # type: ignore[attr-defined]


def _fewer_slots(original: Any, self: Scheduler) -> None:
    limits = self.limits
    self.limits = replace(limits, slots=limits.slots - getattr(self, "lost", 0))
    original(self)
    self.limits = limits


def _backwards(original: Any, dialect: Any, body: Any) -> list[Any]:
    parts: list[Any] = original(dialect, body)
    return parts[::-1]


def _greedy(original: Any, request: Any) -> Sampling:
    made: Sampling = original(request)
    return replace(made, temperature=0.0) if request.temperature == USUAL_TEMPERATURE else made


def _zero_is_no_limit(original: Any, model: Any, body: Any) -> Any:
    is_zero = isinstance(body, dict) and body.get("n_predict") == 0
    return original(model, body | {"n_predict": -1} if is_zero else body)


def _more_cached(meta: Body) -> Body:
    return meta | {"cached_tokens": meta["prompt_tokens"] + 1}


UNCOUNTED = "no counter of the tokens is shown"
MUTANTS = (
    mutant(
        "alternatives_one_less",
        "128",
        "a token has one alternative less than requested",
        around(sampler, "score", _fewer),
        NATIVE,
    ),
    mutant(
        "alternatives_one_more",
        "128",
        "a token has one alternative more than requested",
        around(sampler, "score", _more),
        (*SGLANG, *LLAMA),
    ),
    mutant("vllm_min_ignored", "129", "min_tokens is ignored", around(vllm_generate, "job", _without_minimum), VLLM),
    mutant("sglang_min_ignored", "129", "min_new_tokens is ignored", around(sglang, "job", _without_minimum), SGLANG),
    mutant(
        "bias_ignored",
        "130",
        "logit_bias is ignored",
        around(Sampler, "__init__", _without_bias),
        (*VLLM, *LLAMA),
    ),
    mutant(
        "grammar_ignored",
        "133",
        "a grammar is ignored",
        around(Generation, "__init__", _without_grammar),
        (*SGLANG, *TGI, *LLAMA),
    ),
    mutant(
        "vllm_top_p_any", "132", "a top_p of 1.5 is accepted", put(vllm_generate, "GenerateRequest", AnyVllmTopP), VLLM
    ),
    mutant("tgi_top_p_any", "132", "a top_p of 1.5 is accepted", put(tgi, "GenerateRequest", AnyTgiTopP), TGI),
    mutant(
        "failure_keeps_slot",
        "121",
        "a job that fails keeps its slot",
        every(around(Scheduler, "_fail", _never_finished), around(Scheduler, "_fill_slots", _fewer_slots)),
        ALL,
    ),
    mutant(
        "batch_backwards",
        "134",
        "the outputs of several prompts are in the opposite order",
        around(native_endpoints, "parts_of", _backwards),
        (*SGLANG, *LLAMA),
    ),
    mutant(
        "vllm_uncounted",
        "131",
        UNCOUNTED,
        after(vllm_generate, "usage", without("completion_tokens")),
        VLLM,
        "135",
    ),
    mutant("sglang_uncounted", "131", UNCOUNTED, after(sglang, "meta", without("completion_tokens")), SGLANG),
    mutant("tgi_uncounted", "131", UNCOUNTED, after(tgi, "details", without("generated_tokens")), TGI),
    mutant("llamacpp_uncounted", "131", UNCOUNTED, after(llamacpp, "final", without("tokens_predicted")), LLAMA),
    mutant(
        "llamacpp_zero_unlimited",
        "009",
        "a job of no tokens has no limit",
        around(native, "parsed", _zero_is_no_limit),
        LLAMA,
    ),
    mutant(
        "sglang_cached_more",
        "127",
        "more tokens of a prompt are cached than it has",
        after(sglang, "meta", _more_cached),
        SGLANG,
    ),
    mutant(
        "prompt_cut",
        "039",
        "only the last tokens of a long prompt are read",
        around(Generation, "__init__", _end_of_prompt),
        ALL,
    ),
    mutant(
        "llamacpp_greedy_by_default",
        "038",
        "a job without a temperature takes the likeliest tokens",
        around(llamacpp, "sampling", _greedy),
        LLAMA,
    ),
)
