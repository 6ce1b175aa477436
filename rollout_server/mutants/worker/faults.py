"""Defects of how failures of the model and of the worker are reported."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, around
from rollout_conformance.rollout_server.mutants.worker.patches import (
    ALL,
    LLAMA,
    ORCD,
    SGLANG,
    TGI,
    body,
    member,
    without,
    writing,
)
from rollout_conformance.rollout_server.worker import job_stream, native, orcd_requests
from rollout_conformance.rollout_server.worker.jobs import Ended, Event, Failed
from rollout_conformance.rollout_server.worker.scheduler import ClosingError, Scheduler
from rollout_conformance.rollout_server.worker.worker import Worker

FAILED = "INFERENCE_FAILED"


def _as_end(original: Any, self: Any, happened: Event) -> Iterator[bytes]:
    if isinstance(happened, Failed) and happened.code == FAILED:
        yield from original(self, Ended("max_tokens", happened.tokens_out, 0.001))
    else:
        yield from original(self, happened)


def _then_end(original: Any, self: Any, happened: Event) -> Iterator[bytes]:
    yield from original(self, happened)
    if isinstance(happened, Failed) and happened.code == FAILED:
        yield from original(self, Ended("max_tokens", happened.tokens_out, 0.001))


def _silently(original: Any, self: Any, happened: Event) -> Iterator[bytes]:
    if not (isinstance(happened, Failed) and happened.code == FAILED):
        yield from original(self, happened)


async def _error_alone(original: Any, self: Any) -> AsyncIterator[bytes]:
    """All that a failed job has sent before is dropped."""
    chunks = [chunk async for chunk in original(self)]
    for chunk in chunks[-1:] if chunks[-1].startswith(b"event: error") else chunks:
        yield chunk


def _open(original: Any, self: Worker) -> Scheduler:
    """Before the model is loaded a job is an internal error."""
    try:
        return original(self)  # type: ignore[no-any-return]
    except ClosingError as error:
        raise RuntimeError from error


def _context_ignored(original: Any, request: Any, prompt: int, scheduler: Scheduler) -> Any:
    """What exceeds the context is found when it is too late."""
    if original(request, prompt, scheduler):
        raise RuntimeError
    return []


def _within_ignored(original: Any, max_tokens: int, prompt: Any, scheduler: Scheduler) -> int:
    if max_tokens > scheduler.model.context_length - len(prompt):
        raise RuntimeError
    return max_tokens


MUTANTS = (
    Mutant(
        "failure_as_end",
        breaks="112",
        also=("009", "012"),
        what="a job whose model failed reports that it reached its limit",
        patch=writing(_as_end),
        dialects=(*ORCD, *LLAMA),
    ),
    Mutant(
        "failure_then_end",
        breaks="006",
        also=("005", "112"),
        what="a job whose model failed reports the failure and then an end",
        patch=writing(_then_end),
        dialects=(*ORCD, *LLAMA),
    ),
    Mutant(
        "failure_silent",
        breaks="005",
        also=("112",),
        what="the stream of a job whose model failed closes without an error",
        patch=writing(_silently),
        dialects=ALL,
    ),
    Mutant(
        "error_alone",
        breaks="056",
        also=("002", "053"),
        what="a job that failed sends its error and nothing else",
        patch=around(job_stream.JobStream, "_chunks", _error_alone),
        dialects=ORCD,
    ),
    Mutant(
        "error_not_retriable",
        breaks="055",
        what="an error event does not have retriable",
        patch=body("error", without("retriable")),
        dialects=ORCD,
    ),
    Mutant(
        "error_code_unknown",
        breaks="055",
        also=("045", "110"),
        what="the code of an error event is a number",
        patch=body("error", member("code", 42)),
        dialects=ORCD,
    ),
    Mutant(
        "context_500",
        breaks="115",
        also=("054", "303"),
        what="a job that exceeds the context is an internal error",
        patch=around(orcd_requests, "beyond_model", _context_ignored),
        dialects=ORCD,
    ),
    Mutant(
        "native_context_500",
        breaks="115",
        also=("054", "303"),
        what="a job that exceeds the context is an internal error",
        patch=around(native, "within", _within_ignored),
        dialects=(*SGLANG, *TGI, *LLAMA),
    ),
    Mutant(
        "loading_500",
        breaks="111",
        also=("303",),
        what="a job before the model is loaded is an internal error",
        patch=around(Worker, "ready", _open),
        dialects=ALL,
    ),
)
