"""Defects of what is sampled from, and of scores: sampling parameters, alternatives, stop tokens, log probabilities and counters of prompts."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import after, around
from rollout_conformance.rollout_server.mutants.worker.patches import (
    ALL,
    LLAMA,
    ORCD,
    SGLANG,
    TGI,
    VLLM,
    changed,
    mutant,
)
from rollout_conformance.rollout_server.worker import llamacpp, sampler, sglang, vllm_generate
from rollout_conformance.rollout_server.worker.generation import Generation
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Job, Sampling, Token
from rollout_conformance.rollout_server.worker.native import Result
from rollout_conformance.rollout_server.worker.sampler import Sampler

END_TOKEN = 2
NATIVE = (*VLLM, *SGLANG, *TGI, *LLAMA)
SCORING = (*VLLM, *SGLANG)
WITH_MIN_P = (*VLLM, *SGLANG, *LLAMA)
FLATTER = 0.7  # a factor of log probabilities


def _all_of_it(original: Any, sampling: Sampling, vocab_size: int) -> int:
    return vocab_size


def _whole_share(original: Any, shares: Any, least: float) -> int:
    return len(shares)


def _warm(original: Any, logits: Any, sampling: Sampling) -> Any:
    """A temperature below 0.5 is taken for 1."""
    return original(logits, replace(sampling, temperature=1.0) if sampling.temperature < 0.5 else sampling)


def _of_the_likeliest(original: Any, self: Generation, logits: Any) -> Iterator[Event]:
    """Each token has the log probability of the likeliest one."""
    best = float(sampler.log_softmax(logits).max())
    for event in original(self, logits):
        scored = replace(event.scored, logprob=best) if isinstance(event, Token) else None
        yield replace(event, scored=scored) if scored is not None else event


def _flatter(logprobs: Any) -> Any:
    """Log probabilities are not normalized after they were scaled."""
    return logprobs * FLATTER


def _likeliest_left_out(original: Any, logits: Any, id: int, alternatives: int = 0) -> Any:
    scored, top = original(logits, id, alternatives + 1 if alternatives else 0)
    return scored, top[1:]


def _without_stop_ids(original: Any, *given: Any) -> Job:
    job: Job = original(*given)
    return replace(job, stop_ids=frozenset())


def _after_stop_id(original: Any, self: Generation, id: int) -> Any:
    """A stop token ends the job one token later."""
    due, self.due = getattr(self, "due", False), id in self.job.stop_ids  # type: ignore[attr-defined]
    reason = original(self, id)
    return "stop_sequence" if due else None if self.due and reason == "stop_sequence" else reason  # type: ignore[attr-defined]


def _moved(original: Any, self: Generation, logits: Any) -> None:
    """Each token of a prompt has the log probability of the one before."""
    original(self, logits)
    rows = self._scores
    values = [rows[0][0].logprob, *(one.logprob for one, _ in rows[:-1])] if rows else []
    self._scores = [(replace(one, logprob=value), top) for (one, top), value in zip(rows, values, strict=True)]


def _without_last(scores: list[Any]) -> list[Any]:
    return scores[:-1]


def _one_less(count: int) -> int:
    return count - 1


def _shorter_prompt(original: Any, writer: Any, *given: Any) -> Any:
    body = original(writer, *given)
    return body | {"tokens_evaluated": body["tokens_evaluated"] - 1}


def _keeping_stop(original: Any, *given: Any) -> Job:
    job: Job = original(*given)
    return replace(job, keep_stop=True)


def _one_bit(original: Any, self: Sampler, sampling: Sampling, vocab_size: int) -> None:
    original(self, replace(sampling, seed=sampling.seed % 2), vocab_size)


def _eos(original: Any, ended: Ended) -> Any:
    return END_TOKEN if ended.matched is not None else original(ended)


def _emptied(original: Any, self: Any, result: Result) -> Any:
    """A cancelled job that is no stream has lost its tokens."""
    return original(self, Result(failed=result.failed) if result.failed is not None else result)


MUTANTS = (
    *(
        mutant(
            f"{module.__name__.rpartition('.')[2]}_stop_kept",
            "016",
            "the stop text is part of every output",
            around(module, "job", _keeping_stop),
            dialects,
            "013",
        )
        for module, dialects in ((vllm_generate, VLLM), (sglang, SGLANG), (llamacpp, LLAMA))
    ),
    mutant(
        "seed_of_one_bit",
        "038",
        "only the last bit of a seed has an effect",
        around(Sampler, "__init__", _one_bit),
        NATIVE,
    ),
    mutant(
        "sglang_stop_matched_eos",
        "013",
        "a stop text is reported as the end of the text",
        around(sglang, "matched", _eos),
        SGLANG,
    ),
    mutant(
        "vllm_whole_abort_empties",
        "107",
        "a cancelled job that is no stream has no tokens",
        around(vllm_generate.VllmWriter, "whole", _emptied),
        VLLM,
    ),
    mutant(
        "sglang_whole_abort_empties",
        "107",
        "a cancelled job that is no stream has no tokens",
        around(sglang.SglangWriter, "whole", _emptied),
        SGLANG,
    ),
    mutant("top_k_ignored", "123", "top_k has no effect", around(sampler, "top_k", _all_of_it), ALL),
    mutant("top_p_ignored", "123", "top_p has no effect", around(sampler, "top_p", _whole_share), ALL),
    mutant("min_p_ignored", "123", "min_p has no effect", around(sampler, "min_p", _whole_share), (*ORCD, *WITH_MIN_P)),
    mutant("temperature_raised", "123", "a low temperature is taken for 1", around(sampler, "candidates", _warm), ALL),
    mutant(
        "logprob_of_likeliest",
        "124",
        "a token has the log probability of the likeliest one",
        around(Generation, "_next_token", _of_the_likeliest),
        NATIVE,
        "126",
    ),
    mutant(
        "logprobs_not_normalized",
        "124",
        "probabilities add up to more than 1",
        after(sampler, "log_softmax", _flatter),
        NATIVE,
    ),
    mutant(
        "likeliest_alternative_missing",
        "124",
        "the likeliest token is none of the alternatives",
        around(sampler, "score", _likeliest_left_out),
        NATIVE,
        "126",
    ),
    mutant(
        "vllm_stop_ids_ignored",
        "125",
        "stop_token_ids have no effect",
        around(vllm_generate, "job", _without_stop_ids),
        VLLM,
    ),
    mutant(
        "sglang_stop_ids_ignored",
        "125",
        "stop_token_ids have no effect",
        around(sglang, "job", _without_stop_ids),
        SGLANG,
    ),
    mutant(
        "stop_ids_late",
        "125",
        "a token follows a stop token",
        around(Generation, "_reason", _after_stop_id),
        SCORING,
    ),
    mutant(
        "prompt_scores_moved",
        "126",
        "a token of a prompt has the log probability of the one before",
        around(Generation, "_score", _moved),
        SCORING,
    ),
    mutant(
        "sglang_prompt_scores_short",
        "126",
        "the log probability of the last token of a prompt is missing",
        after(sglang, "prompt_logprobs", _without_last),
        SGLANG,
    ),
    mutant(
        "vllm_prompt_counter_short",
        "127",
        "prompt_tokens is one less than the token ids",
        after(vllm_generate, "usage", changed("prompt_tokens", _one_less)),
        VLLM,
    ),
    mutant(
        "sglang_prompt_counter_short",
        "127",
        "prompt_tokens is one less than the token ids",
        after(sglang, "meta", changed("prompt_tokens", _one_less)),
        SGLANG,
    ),
    mutant(
        "llamacpp_prompt_counter_short",
        "127",
        "tokens_evaluated is one less than the token ids",
        around(llamacpp, "final", _shorter_prompt),
        LLAMA,
    ),
)
