"""Defects that were reported of public inference engines; contracts/worker/reports.yaml names the reports."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import after, around, put
from rollout_conformance.rollout_server.mutants.worker.patches import LLAMA, SGLANG, TGI, VLLM, mutant, without
from rollout_conformance.rollout_server.worker import llamacpp, sampler, sglang
from rollout_conformance.rollout_server.worker.generation import Generation
from rollout_conformance.rollout_server.worker.jobs import Event, Prefilled, Ranking
from rollout_conformance.rollout_server.worker.sglang import SglangWriter

BLOCK = 16  # tokens of a prompt that a cache keeps together
PROMPTS: list[tuple[int, ...]] = []


def _of_the_beginning(original: Any, writer: SglangWriter, result: Any) -> list[Any]:
    """The tokens from `logprob_start_len` have the log probabilities of the first ones."""
    rows: list[Any] = original(writer, result)
    values = [sglang.row(one)[0] for one, _ in result.scores]
    return (
        [[value, *row[1:]] for value, row in zip(values, rows, strict=False)]
        if writer.request.logprob_start_len > 0
        else rows
    )


def _stale(original: Any, self: Generation, logits: Any) -> list[Event]:
    """The scores of tokens that are in the cache are what was left in memory."""
    events: list[Event] = original(self, logits)
    if not self.job.score_prompt or not any(isinstance(one, Prefilled) for one in events):
        return events
    cached = max((_common(self.job.prompt, one) for one in PROMPTS), default=0) // BLOCK * BLOCK
    PROMPTS.append(self.job.prompt)
    return [replace(one, scores=_emptied(one.scores, cached)) if isinstance(one, Prefilled) else one for one in events]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _emptied(scores: tuple[Ranking, ...], cached: int) -> tuple[Ranking, ...]:
    return tuple(
        (replace(one, logprob=0.0), top) if n < cached - 1 else (one, top) for n, (one, top) in enumerate(scores)
    )


def _as_length(original: Any, self: Generation, id: int) -> Any:
    reason = original(self, id)
    return "max_tokens" if reason == "stop_sequence" and self._text.matched is None else reason


def _certain(original: Any, logits: Any, id: int, alternatives: int = 0) -> Ranking:
    one, top = original(logits, id, alternatives)
    return replace(one, logprob=0.0), tuple(replace(other, logprob=0.0) if other.id == id else other for other in top)


MUTANTS = (
    mutant(
        "sglang_scores_of_the_beginning",
        "126",
        "the scores of the end of a prompt are those of its beginning",
        around(sglang, "prompt_logprobs", _of_the_beginning),
        SGLANG,
    ),
    mutant(
        "cached_scores_stale",
        "126",
        "tokens of a prompt that are cached have no scores of theirs",
        around(Generation, "take", _stale),
        (*VLLM, *SGLANG),
    ),
    mutant(
        "sglang_alternatives_not_shown",
        "128",
        "top_logprobs_num has no effect",
        after(sglang, "meta", without("output_top_logprobs")),
        SGLANG,
    ),
    mutant(
        "llamacpp_probabilities_not_shown",
        "128",
        "n_probs has no effect",
        put(llamacpp, "probabilities", lambda writer, tokens: {}),
        LLAMA,
    ),
    mutant(
        "stop_token_as_length",
        "125",
        "a job that a stop token ended reports its limit",
        around(Generation, "_reason", _as_length),
        (*VLLM, *SGLANG),
    ),
    mutant(
        "logprobs_all_zero",
        "124",
        "the log probability of each sampled token is 0",
        around(sampler, "score", _certain),
        (*VLLM, *SGLANG, *TGI, *LLAMA),
    ),
)
