"""Posts the result of a rollout of the callback or the routed dialect to its trainer.

A rollout has one result, each report of it is encoded once, and only these bytes are posted. So a trainer that did not
acknowledge may receive the same result again, but never a different one.
"""

import hashlib

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.common.http_client import HttpResponse
from rollout_conformance.rollout_server.rollout import results, routed_dialect, trainer_client
from rollout_conformance.rollout_server.rollout.app_state import AppState
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.results import Result
from rollout_conformance.rollout_server.rollout.routed_dialect import Report
from rollout_conformance.rollout_server.rollout.start_request import StartRequest

PATH = "/v1/rollout/completed"


async def deliver(start: StartRequest, result: Result, app_state: AppState) -> bool:
    """Whether the trainer acknowledged. When it did not, only the log records it."""
    if start.routes is None:
        return await send(start, Report(start.server_url + PATH, start.api_key, results.body(result)), app_state)
    acknowledged = await send(start, routed_dialect.completion(start, result), app_state)
    sample = routed_dialect.grade(start, result)
    return acknowledged and (sample is None or await send(start, sample, app_state))


async def send(start: StartRequest, report: Report, app_state: AppState) -> bool:
    body = encode(report)
    try:
        response = await post(report, body, app_state)
    except RolloutError as error:
        return log_delivery(start, app_state, "unreachable", error.category)
    if is_acknowledgement(response):
        return log_delivery(start, app_state, "acknowledged", str(response.status))
    return log_delivery(start, app_state, "refused", str(response.status))


def encode(report: Report) -> bytes:
    return json_text.dumps(report.body)


async def post(report: Report, body: bytes, app_state: AppState) -> HttpResponse:
    return await app_state.trainer.post(
        report.url,
        body,
        trainer_client.headers(report.key) | {"idempotency-key": hashlib.sha256(body).hexdigest()[:32]},
        app_state.completion_policy(),
        app_state.settings.completion_timeout_s,
    )


def is_acknowledgement(response: HttpResponse) -> bool:
    return 200 <= response.status < 300


def log_delivery(start: StartRequest, app_state: AppState, result: str, detail: str) -> bool:
    acknowledged = result == "acknowledged"
    app_state.metrics.completion(result)
    log = app_state.log.info if acknowledged else app_state.log.error
    log("completion_posted", rollout_id=start.rollout_id, result=result, detail=detail)
    return acknowledged
