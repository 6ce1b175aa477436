"""The endpoints of the dialect `orcd`, and those that every dialect has."""

import os
import signal
from typing import Any, cast

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.worker import errors, health, orcd_requests
from rollout_conformance.rollout_server.worker.job_stream import JobStream
from rollout_conformance.rollout_server.worker.jobs import Job
from rollout_conformance.rollout_server.worker.orcd_events import OrcdStream
from rollout_conformance.rollout_server.worker.scheduler import (
    ClosingError,
    DuplicateJobError,
    QueueFullError,
    Scheduler,
    Ticket,
)
from rollout_conformance.rollout_server.worker.worker import Worker, memory_bytes


def worker_of(request: Request) -> Worker:
    return cast(Worker, request.app.state.worker)


class Execute(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        worker = worker_of(request)
        body = await read(request)
        scheduler = accepting(worker)
        job = orcd_requests.execute(body, scheduler)
        ticket = submit(scheduler, job)
        stream = OrcdStream(job, scheduler.model.name, body.get("logprobs") is True, memory_bytes())
        return JobStream(ticket, scheduler, stream, worker.settings.send_timeout_s)


class Cancel(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        """202 for any id: a job may end while it is cancelled."""
        id = orcd_requests.cancelled_id(await read(request))
        scheduler = worker_of(request).scheduler
        found = scheduler is not None and scheduler.cancel(id)
        return json_response({"job_id": id, "cancelled": found}, 202)


class Health(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        worker = worker_of(request)
        return json_response(health.body(worker), 200 if worker.status == "healthy" else 503)


class Metrics(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return Response(worker_of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)


class Shutdown(HTTPEndpoint):
    async def post(self, request: Request) -> Response:
        """As SIGTERM: running jobs end, new ones are refused, the process exits."""
        worker_of(request).close()
        os.kill(os.getpid(), signal.SIGTERM)
        return json_response({"status": "shutting_down"}, 202)


async def read(request: Request) -> Any:
    """The body as JSON. Raises `RequestError` 400, 413 or 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(415, "The media type of the body must be application/json")
    limit = worker_of(request).settings.body_limit
    return request_parsing.parse(await request_parsing.read_body(request, limit))


def accepting(worker: Worker) -> Scheduler:
    try:
        return worker.ready()
    except ClosingError as error:
        raise errors.unhealthy(worker.status) from error


def submit(scheduler: Scheduler, job: Job) -> Ticket:
    try:
        return scheduler.submit(job)
    except DuplicateJobError as error:
        raise errors.duplicate() from error
    except QueueFullError as error:
        raise errors.queue_full() from error
