"""Defects of what a worker accepts and does not do: penalties, several samples, the whole of a long prompt, the end of a response."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Patch, add, around, every
from rollout_conformance.rollout_server.mutants.worker.patches import ALL, LLAMA, SGLANG, TGI, VLLM, mutant
from rollout_conformance.rollout_server.worker import native
from rollout_conformance.rollout_server.worker.generation import Generation
from rollout_conformance.rollout_server.worker.job_stream import JobStream
from rollout_conformance.rollout_server.worker.jobs import Job, Sampling
from rollout_conformance.rollout_server.worker.sampler import Sampler
from rollout_conformance.rollout_server.worker.scheduler import Scheduler

WINDOW = 600  # tokens of a prompt that are read
IN_ONE = 2000  # tokens of a prompt that are read at once
FOR_EVER_S = 3600.0


def _without(**members: float) -> Patch:
    def changed(original: Any, self: Sampler, sampling: Sampling, vocab_size: int) -> None:
        original(self, replace(sampling, **members), vocab_size)  # type: ignore[arg-type]

    return around(Sampler, "__init__", changed)


def _read(part: slice) -> Patch:
    def changed(original: Any, self: Generation, job: Job, model: Any, vocabulary: Any) -> None:
        original(self, replace(job, prompt=job.prompt[part]), model, vocabulary)

    return around(Generation, "__init__", changed)


def _one_seed(original: Any, given: Any, n: int) -> Any:
    return 1 if given is None else given


def _one_sample(original: Any, body: Any, *names: str, **more: str) -> list[Any]:
    made: list[Any] = original(body, *names, **more)
    return made[:1]


async def _open(self: JobStream) -> AsyncIterator[bytes]:
    async for chunk in JobStream.written(self):  # type: ignore[attr-defined]
        yield chunk
    await asyncio.sleep(FOR_EVER_S)


def _stays_open() -> None:
    add(JobStream, "written", JobStream._chunks)()
    add(JobStream, "_chunks", _open)()


def _noted(original: Any, self: Scheduler, job: Job) -> Any:
    self.dead = getattr(self, "dead", False) or (len(job.prompt) > IN_ONE and job.sampling.temperature > 0)  # type: ignore[attr-defined]
    return original(self, job)


def _failing(original: Any, self: Scheduler) -> None:
    if getattr(self, "dead", False):
        self.fail_all("INFERENCE_FAILED")
    original(self)


NATIVE = (*VLLM, *SGLANG, *LLAMA)
MUTANTS = (
    mutant("penalty_ignored", "136", "a repetition penalty is ignored", _without(repetition_penalty=1.0), ALL),
    mutant(
        "frequency_penalty_ignored",
        "136",
        "a frequency penalty is ignored",
        _without(frequency_penalty=0.0),
        (*NATIVE, *TGI),
    ),
    mutant("presence_penalty_ignored", "136", "a presence penalty is ignored", _without(presence_penalty=0.0), NATIVE),
    mutant(
        "samples_equal",
        "135",
        "the samples of a prompt have one seed",
        around(native, "seed_of_sample", _one_seed),
        NATIVE,
    ),
    mutant(
        "samples_one",
        "135",
        "a job with several samples has one output",
        around(native, "samples", _one_sample),
        (*VLLM, *SGLANG),
    ),
    mutant(
        "long_prompt_end_only", "039", "only the last 600 tokens of a prompt are read", _read(slice(-WINDOW, None)), ALL
    ),
    mutant(
        "long_prompt_beginning_only",
        "039",
        "only the first 600 tokens of a prompt are read",
        _read(slice(None, WINDOW)),
        ALL,
    ),
    mutant(
        "sampled_long_prompt_ends_engine",
        "200",
        "after a sampled job whose prompt is read in several parts every job fails",
        every(around(Scheduler, "submit", _noted), around(Scheduler, "tick", _failing)),
        VLLM,
    ),
    mutant("stream_stays_open", "005", "a stream stays open after its terminal", _stays_open, ALL),
)
