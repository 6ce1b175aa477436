"""The application: settings in, a Starlette app out. Any ASGI server can serve `rollout_server.worker.app:create_app`."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rollout_conformance.rollout_server.common import logs, shutdown
from rollout_conformance.rollout_server.common.errors import handler, handlers
from rollout_conformance.rollout_server.worker import endpoints, errors, native_endpoints
from rollout_conformance.rollout_server.worker.correlation import CorrelationIds
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.settings import Settings, load
from rollout_conformance.rollout_server.worker.worker import Worker, create, memory_bytes

ROUTES = [
    Route("/health", endpoints.Health),
    Route("/metrics", endpoints.Metrics),
    Route("/shutdown", endpoints.Shutdown),
    Route("/execute", endpoints.Execute),
    Route("/cancel", endpoints.Cancel),
    Route("/inference/v1/generate", native_endpoints.VllmGenerate),
    Route("/inference/v1/abort_requests", native_endpoints.VllmAbort),
    Route("/abort_requests", native_endpoints.VllmAbort),
    Route("/generate", native_endpoints.SharedGenerate),
    Route("/abort_request", native_endpoints.SglangAbort),
    Route("/generate_stream", native_endpoints.GenerateStream),
    Route("/completion", native_endpoints.Completion),
]


def create_app(*, settings: Settings | None = None) -> Starlette:
    """The worker. Settings default to the environment."""
    logs.quiet_libraries()
    worker = create(settings or load())
    add_gauges(worker)
    app = Starlette(
        routes=ROUTES,
        lifespan=lambda _: lifespan(worker),
        exception_handlers=handlers(on_rejected) | handler(JobError, on_job_error),
    )
    app.state.worker = worker
    app.add_middleware(CorrelationIds, log=worker.log)
    return app


def add_gauges(worker: Worker) -> None:
    gauge = worker.metrics.gauge
    gauge("worker_jobs_running", "Jobs in a slot", lambda: len(worker.scheduler.running) if worker.scheduler else 0)
    gauge("worker_jobs_waiting", "Jobs in the queue", lambda: len(worker.scheduler.waiting) if worker.scheduler else 0)
    gauge("worker_memory_bytes", "The most memory that the process has had", memory_bytes)


@contextlib.asynccontextmanager
async def lifespan(worker: Worker) -> AsyncIterator[None]:
    async with worker.running():
        with shutdown.on_signal(worker.close):
            yield


def on_job_error(request: Request, error: JobError) -> Response:
    return errors.response(error)


def on_rejected(request: Request, status: int, detail: Any, headers: Mapping[str, str]) -> Response:
    return errors.response(errors.rejected(status, detail), headers)
