"""The endpoints of the native dialects. Each rejects in the words of its dialect."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common.disconnect import CLIENT_CLOSED_REQUEST, until_disconnect
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.worker import errors, llamacpp, native, sglang, tgi, vllm_generate
from rollout_conformance.rollout_server.worker.endpoints import accepting, read, submit, worker_of
from rollout_conformance.rollout_server.worker.errors import JobError
from rollout_conformance.rollout_server.worker.job_stream import JobStream, events
from rollout_conformance.rollout_server.worker.native import Asked, NativeDialect, Result
from rollout_conformance.rollout_server.worker.scheduler import Scheduler, Ticket
from rollout_conformance.rollout_server.worker.worker import Worker


class Generate(HTTPEndpoint):
    dialect: ClassVar[NativeDialect]
    always_streams: ClassVar[bool] = False

    def dialect_of(self, body: Any) -> NativeDialect:
        return self.dialect

    async def post(self, request: Request) -> Response:
        dialect = self.dialect_of(None)
        try:
            body = await read(request)
            dialect = self.dialect_of(body)
            return await self._generate(request, dialect, body)
        except RequestError as error:
            return rejection(dialect, errors.rejected(error.status, error.detail))
        except JobError as error:
            return rejection(dialect, error)

    async def _generate(self, request: Request, dialect: NativeDialect, body: Any) -> Response:
        worker = worker_of(request)
        scheduler = accepting(worker)
        parts = parts_of(dialect, body)
        if len(parts) > 1:
            return await batch(request, scheduler, dialect, [dialect.ask(one, scheduler) for one in parts])
        asked = dialect.ask(body, scheduler)
        ticket = submit(scheduler, asked.job)
        if asked.streams or self.always_streams:
            return JobStream(ticket, scheduler, asked.writer, worker.settings.send_timeout_s)
        return await whole(request, scheduler, ticket, asked)


async def whole(request: Request, scheduler: Scheduler, ticket: Ticket, asked: Asked) -> Response:
    """The job ends with its request, however that ends. Raises `JobError` for a job that failed."""
    try:
        result = await until_disconnect(request.receive, collect(ticket))
    finally:
        scheduler.abandon(ticket)
    if result is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return json_response(asked.writer.whole(result))


def parts_of(dialect: NativeDialect, body: Any) -> list[Any]:
    return dialect.parts(body)


async def batch(request: Request, scheduler: Scheduler, dialect: NativeDialect, parts: Sequence[Asked]) -> Response:
    """Several outputs, in the order of their prompts. Raises `JobError` where one is rejected, or failed, and for a stream."""
    if any(asked.streams for asked in parts):
        raise native.refused("stream: several outputs have a response that is no stream")
    tickets: list[Ticket] = []
    try:
        tickets += (submit(scheduler, asked.job) for asked in parts)
        results = await until_disconnect(request.receive, collect_all(tickets))
    finally:
        for ticket in tickets:
            scheduler.abandon(ticket)
    if results is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return json_response(dialect.joined([asked.writer.whole(one) for asked, one in zip(parts, results, strict=True)]))


async def collect_all(tickets: Sequence[Ticket]) -> list[Result]:
    return [*await asyncio.gather(*map(collect, tickets))]


async def collect(ticket: Ticket) -> Result:
    result = Result()
    async for event in events(ticket):
        native.add(result, event)
    return result


def rejection(dialect: NativeDialect, error: JobError) -> Response:
    status, body = dialect.error(error)
    return json_response(body, status, error.headers())


class VllmGenerate(Generate):
    dialect = vllm_generate.DIALECT


class Completion(Generate):
    dialect = llamacpp.DIALECT


class GenerateStream(Generate):
    dialect = tgi.DIALECT
    always_streams = True


class SharedGenerate(Generate):
    """`POST /generate` of SGLang, and of TGI: its requests have the member `inputs`."""

    dialect = sglang.DIALECT

    def dialect_of(self, body: Any) -> NativeDialect:
        return tgi.DIALECT if isinstance(body, Mapping) and "inputs" in body else sglang.DIALECT


class Abort(HTTPEndpoint):
    """200 for any id: a job may end while it is aborted."""

    dialect: ClassVar[NativeDialect]

    def abort(self, worker: Worker, body: Any) -> None:
        raise NotImplementedError

    async def post(self, request: Request) -> Response:
        try:
            self.abort(worker_of(request), await read(request))
        except RequestError as error:
            return rejection(self.dialect, errors.rejected(error.status, error.detail))
        except JobError as error:
            return rejection(self.dialect, error)
        return Response()


class VllmAbort(Abort):
    dialect = vllm_generate.DIALECT

    def abort(self, worker: Worker, body: Any) -> None:
        for id in vllm_generate.aborted_ids(body):
            cancel(worker, id)


class SglangAbort(Abort):
    dialect = sglang.DIALECT

    def abort(self, worker: Worker, body: Any) -> None:
        id = sglang.aborted_id(body)
        for one in [id] if id is not None else [*(worker.scheduler.by_id if worker.scheduler else ())]:
            cancel(worker, one)


def cancel(worker: Worker, id: str) -> None:
    """The job, and the other samples of its prompt."""
    scheduler = worker.scheduler
    if scheduler is not None:
        for one in (id, *(other for other in [*scheduler.by_id] if other.startswith(f"{id}{native.OF_SAMPLE}"))):
            scheduler.cancel(one)
