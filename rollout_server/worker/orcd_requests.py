"""From the body of `POST /execute` to a job. Raises `JobError` 400 with every violation."""

import secrets
from typing import Any

from pydantic import ValidationError

from rollout_conformance.contracts.worker.wire_orcd import CancelRequest, ExecuteRequest
from rollout_conformance.rollout_server.worker import errors
from rollout_conformance.rollout_server.worker.errors import Problem
from rollout_conformance.rollout_server.worker.jobs import Job, Sampling
from rollout_conformance.rollout_server.worker.scheduler import Scheduler

SEED_BITS = 32  # of a generated seed: every JSON library reads it exactly


def execute(body: Any, scheduler: Scheduler) -> Job:
    request, found = parsed(body)
    if request is None:
        raise errors.invalid(found)
    prompt = scheduler.vocabulary.encode(request.prompt)
    found = [*beyond_model(request, len(prompt), scheduler)]
    if found:
        raise errors.invalid(found)
    return job(request, prompt, room(len(prompt), scheduler))


def parsed(body: Any) -> tuple[ExecuteRequest | None, list[Problem]]:
    try:
        return ExecuteRequest.model_validate(body), []
    except ValidationError as error:
        return None, errors.problems(error)


def beyond_model(request: ExecuteRequest, prompt: int, scheduler: Scheduler) -> list[Problem]:
    """What this model cannot do, whatever the contract allows."""
    found = []
    if request.top_k > scheduler.model.vocab_size:
        sentence = f"must be at most {scheduler.model.vocab_size}, the size of the vocabulary"
        found.append(errors.problem("top_k", "range(0..=vocab_size)", sentence))
    free = room(prompt, scheduler)
    if free < 1:
        sentence = f"must leave room for a token in the context of {scheduler.model.context_length} tokens"
        found.append(errors.problem("prompt", "context_length", sentence))
    elif "max_tokens" in request.model_fields_set and request.max_tokens > free:
        sentence = f"must fit into the context beside the prompt, which leaves {free} tokens"
        found.append(errors.problem("max_tokens", "context_length", sentence))
    return found


def room(prompt: int, scheduler: Scheduler) -> int:
    """How many tokens the context leaves for the output."""
    return scheduler.model.context_length - prompt


def job(request: ExecuteRequest, prompt: tuple[int, ...], free: int) -> Job:
    sampling = Sampling(
        seed=generated_seed() if request.seed is None else request.seed,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        min_p=request.min_p,
        repetition_penalty=request.repetition_penalty,
    )
    most = min(request.max_tokens, free)
    return Job(request.job_id, prompt, most, sampling, tuple(request.stop), ignore_eos=request.ignore_eos)


def generated_seed() -> int:
    return secrets.randbits(SEED_BITS)


def cancelled_id(body: Any) -> str:
    """The id in the body of `POST /cancel`."""
    try:
        return CancelRequest.model_validate(body).job_id
    except ValidationError as error:
        raise errors.invalid(errors.problems(error)) from error
