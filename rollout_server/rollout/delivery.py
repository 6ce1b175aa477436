"""The last word on a rollout of the callback and the routed dialect.

A rollout has one outcome, each report of it is encoded once, and these bytes are all that is ever posted. So a trainer that
did not acknowledge may see the same result again, but never another one.
"""

import hashlib
from typing import TYPE_CHECKING

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.rollout import results, routed_dialect, trainer_client
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.results import Outcome
from rollout_conformance.rollout_server.rollout.routed_dialect import Report
from rollout_conformance.rollout_server.rollout.start_request import Start
from rollout_conformance.rollout_server.rollout.trainer_client import Answer

if TYPE_CHECKING:
    from rollout_conformance.rollout_server.rollout.service import Kit

PATH = "/v1/rollout/completed"


async def deliver(start: Start, result: Outcome, kit: "Kit") -> bool:
    """Whether the trainer acknowledged. When it did not, there is nobody left to tell but the log."""
    if start.routes is None:
        return await send(start, Report(start.server_url + PATH, start.api_key, results.body(result)), kit)
    told = await send(start, routed_dialect.completion(start, result), kit)
    sample = routed_dialect.grade(start, result)
    return told and (sample is None or await send(start, sample, kit))


async def send(start: Start, report: Report, kit: "Kit") -> bool:
    body = encode(report)
    try:
        answer = await post(report, body, kit)
    except RolloutError as error:
        return note(start, kit, "unreachable", error.category)
    if acknowledged(answer):
        return note(start, kit, "acknowledged", str(answer.status))
    return note(start, kit, "refused", str(answer.status))


def encode(report: Report) -> bytes:
    return json_text.dumps(report.body)


async def post(report: Report, body: bytes, kit: "Kit") -> Answer:
    return await kit.trainer.post(
        report.url,
        body,
        trainer_client.headers(report.key) | {"idempotency-key": hashlib.sha256(body).hexdigest()[:32]},
        kit.completion_policy(),
        kit.settings.completion_timeout_s,
    )


def acknowledged(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def note(start: Start, kit: "Kit", result: str, detail: str) -> bool:
    good = result == "acknowledged"
    kit.metrics.completion(result)
    log = kit.log.info if good else kit.log.error
    log("completion_posted", rollout_id=start.rollout_id, result=result, detail=detail)
    return good
