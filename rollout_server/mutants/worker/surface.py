"""Defects of paths, headers, health and metrics."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put
from rollout_conformance.rollout_server.mutants.worker.patches import ALL, ORCD, changed, endpoint, member, without
from rollout_conformance.rollout_server.worker import correlation, endpoints, errors, health
from rollout_conformance.rollout_server.worker.endpoints import Health, Metrics, Shutdown
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.job_stream import JobStream

NOT_FOUND, NOT_ALLOWED = 404, 405
ONE_ID = "00000000-0000-4000-8000-000000000000"


async def _ok(original: Any, self: Health, request: Request) -> Response:
    response: Response = await original(self, request)
    response.status_code = 200
    return response


async def _without_effect(original: Any, self: Shutdown, request: Request) -> Response:
    return Response(status_code=202)


async def _absent(original: Any, self: Metrics, request: Request) -> Response:
    raise errors.JobError(NOT_FOUND, "INVALID_REQUEST", "Not Found")


async def _busy(original: Any, self: Health, request: Request) -> Response:
    """The health check waits for the jobs that run."""
    worker = endpoints.worker_of(request)
    while worker.scheduler is not None and worker.scheduler.running:
        await asyncio.sleep(0.01)
    return await original(self, request)  # type: ignore[no-any-return]


def _path_as(status: int, other: int) -> Any:
    def rejected(original: Any, found: int, detail: Any) -> JobError:
        return original(other if found == status else found, detail)  # type: ignore[no-any-return]

    return rejected


MUTANTS = (
    Mutant(
        "stream_as_json",
        breaks="001",
        what="a stream is labelled application/json",
        patch=put(JobStream, "media_type", "application/json"),
        dialects=ALL,
    ),
    Mutant(
        "correlation_new",
        breaks="057",
        what="the correlation id of a request is not echoed",
        patch=around(correlation, "correlation_id", lambda original, given: original(None)),
        dialects=ORCD,
    ),
    Mutant(
        "correlation_any",
        breaks="057",
        what="a correlation id that is no UUID is echoed",
        patch=around(correlation, "correlation_id", lambda original, given: given or original(given)),
        dialects=ORCD,
    ),
    Mutant(
        "correlation_constant",
        breaks="057",
        what="all requests without a correlation id get the same",
        patch=around(correlation, "correlation_id", lambda original, given: original(given) if given else ONE_ID),
        dialects=ORCD,
    ),
    Mutant(
        "health_without_worker",
        breaks="041",
        what="the health check does not name the worker",
        patch=after(health, "body", without("worker_id")),
        dialects=ORCD,
    ),
    Mutant(
        "health_without_vocabulary",
        breaks="042",
        what="the health check does not give the size of the vocabulary",
        patch=after(health, "model", without("vocab_size")),
        dialects=ORCD,
    ),
    Mutant(
        "health_memory_negative",
        breaks="042",
        what="the memory of the health check is negative",
        patch=after(health, "model", changed("vram_bytes_used", lambda size: -size)),
        dialects=ORCD,
    ),
    Mutant(
        "health_tokenizer_unknown",
        breaks="042",
        what="the health check names a kind of tokenizer that is not in the catalogue",
        patch=after(health, "model", member("tokenizer_kind", "magic")),
        dialects=ORCD,
    ),
    Mutant(
        "health_always_200",
        breaks="043",
        what="the health check is 200 before the model is loaded",
        patch=endpoint(Health, "get", _ok),
        dialects=ALL,
    ),
    Mutant(
        "health_waits",
        breaks="040",
        what="the health check waits for jobs to end",
        patch=endpoint(Health, "get", _busy),
        dialects=ALL,
    ),
    Mutant(
        "metrics_absent",
        breaks="062",
        what="there are no metrics",
        patch=endpoint(Metrics, "get", _absent),
        dialects=ORCD,
    ),
    Mutant(
        "method_as_400",
        breaks="064",
        what="a wrong method is 400",
        patch=around(errors, "rejected", _path_as(NOT_ALLOWED, 400)),
        dialects=ALL,
    ),
    Mutant(
        "path_as_200",
        breaks="064",
        what="an unknown path is 200",
        patch=around(errors, "rejected", _path_as(NOT_FOUND, 200)),
        dialects=ALL,
    ),
    Mutant(
        "shutdown_ignored",
        breaks="058",
        what="POST /shutdown has no effect",
        patch=endpoint(Shutdown, "post", _without_effect),
        dialects=ORCD,
    ),
)
