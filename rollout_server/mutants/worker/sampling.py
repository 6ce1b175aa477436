"""Defects of sampling: seeds, repeatability, log probabilities."""

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from rollout_conformance.rollout_server.mutants.framework import Mutant, around
from rollout_conformance.rollout_server.mutants.worker.patches import (
    ALL,
    LLAMA,
    ORCD,
    SGLANG,
    VLLM,
    body,
    changed,
    without,
)
from rollout_conformance.rollout_server.worker.generation import Generation
from rollout_conformance.rollout_server.worker.jobs import Event, Job, Token
from rollout_conformance.rollout_server.worker.sampler import Sampler

TURN = itertools.count()
POSSIBLE = 50.0  # a token whose logit is lower by more than this is none that could follow


def _rounded(original: Any, self: Sampler, sampling: Any, vocab_size: int) -> None:
    original(self, replace(sampling, seed=int(float(sampling.seed))), vocab_size)


def _drifting(original: Any, self: Sampler, logits: Any) -> int:
    """At temperature 0 the second likeliest token is taken in every second job."""
    if self.sampling.temperature == 0 and not hasattr(self, "turn"):
        self.turn = next(TURN) % 2  # type: ignore[attr-defined]
    best, second = np.argsort(-logits)[:2]
    possible = logits[best] - logits[second] < POSSIBLE
    if self.sampling.temperature == 0 and self.turn and possible:  # type: ignore[attr-defined]
        return int(second)
    return int(original(self, logits))


def _fresh(original: Any, self: Sampler, sampling: Any, vocab_size: int) -> None:
    original(self, replace(sampling, seed=secrets.randbits(64)), vocab_size)


def _constant(original: Any, self: Sampler, sampling: Any, vocab_size: int) -> None:
    original(self, replace(sampling, seed=42), vocab_size)


def _generic(original: Any, self: Generation, job: Job, model: Any, vocabulary: Any) -> None:
    original(self, replace(job, prompt=(1,)), model, vocabulary)


def _aged(original: Any, self: Generation, logits: Any) -> Iterator[Event]:
    """A token loses log probability the later it comes."""
    for event in original(self, logits):
        if isinstance(event, Token):
            scored = replace(event.scored, logprob=event.scored.logprob - 0.25 * event.i)
            yield replace(event, scored=scored)
        else:
            yield event


MUTANTS = (
    Mutant(
        "seed_unreported",
        breaks="036",
        what="started has no seed",
        patch=body("started", without("seed")),
        dialects=ORCD,
    ),
    Mutant(
        "seed_other",
        breaks="036",
        what="the reported seed is not the one that was used",
        patch=body("started", changed("seed", lambda seed: seed ^ 1)),
        dialects=ORCD,
    ),
    Mutant(
        "greedy_drifts",
        breaks="037",
        also=("103", "105", "118"),
        what="jobs at temperature 0 differ",
        patch=around(Sampler, "choose", _drifting),
        dialects=ALL,
    ),
    Mutant(
        "seed_ignored",
        breaks="113",
        also=("036", "050"),
        what="equal seeds give other tokens",
        patch=around(Sampler, "__init__", _fresh),
        dialects=ALL,
    ),
    Mutant(
        "seed_rounded",
        breaks="038",
        what="a seed is rounded to a double, as JavaScript reads it",
        patch=around(Sampler, "__init__", _rounded),
        dialects=ORCD,
    ),
    Mutant(
        "seed_constant",
        breaks="038",
        what="every seed gives the same tokens",
        patch=around(Sampler, "__init__", _constant),
        dialects=ALL,
    ),
    Mutant(
        "prompt_ignored",
        breaks="039",
        also=("118",),
        what="the tokens do not depend on the prompt",
        patch=around(Generation, "__init__", _generic),
        dialects=ALL,
    ),
    Mutant(
        "logprobs_aged",
        breaks="118",
        also=("124",),
        what="the log probability of a token depends on its place in the output",
        patch=around(Generation, "_next_token", _aged),
        dialects=(*VLLM, *SGLANG, *LLAMA),
    ),
)
