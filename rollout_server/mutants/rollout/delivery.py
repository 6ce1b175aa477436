"""Defects of the delivery of results, and shutdown."""

import asyncio
import contextlib
import json
import time
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common import http_client, request_parsing
from rollout_conformance.rollout_server.common.errors import RequestError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK
from rollout_conformance.rollout_server.mutants.framework import EXPLORATION, Mutant, around, put
from rollout_conformance.rollout_server.rollout import (
    delivery,
    endpoints,
    errors,
    retry,
    service,
    trainer_client,
)
from rollout_conformance.rollout_server.rollout.app_state import AppState
from rollout_conformance.rollout_server.rollout.idempotency import IdempotencyStore
from rollout_conformance.rollout_server.rollout.service import Service
from rollout_conformance.rollout_server.rollout.trainer_client import TrainerClient


async def _silent(original: Any, asked: Any, result: Any, app_state: Any) -> bool:
    return True if result.error else bool(await original(asked, result, app_state))


async def _contradicts(original: Any, asked: Any, result: Any, app_state: Any) -> bool:
    if await original(asked, result, app_state):
        return True
    return bool(await original(asked, replace(result, error=errors.internal(), finish_reason="error"), app_state))


async def _twice(original: Any, asked: Any, result: Any, app_state: Any) -> bool:
    await original(asked, result, app_state)
    return bool(await original(asked, result, app_state))


async def _keyless(report: Any, body: bytes, app_state: Any) -> Any:
    return await app_state.trainer.post(
        report.url, body, trainer_client.headers(None), app_state.completion_policy(), 5
    )


async def _drops(self: Any) -> None:
    for task in self.tasks():
        task.cancel()
    await service.wait_for(self.tasks(), None)


def _begin_silently(self: Any) -> None:
    self.stopping = False
    self._stopped = self._stopped or asyncio.ensure_future(_drops(self))


_kept: list[Any] = []


def _reports_refusals(original: Any, value: Any, build: Any) -> Any:
    try:
        return original(value, build)
    except RequestError:
        url = str(value.get("server_url")) if isinstance(value, dict) else ""
        if url.startswith("http://127.0.0.1") and value.get("rollout_id"):
            _kept.append(asyncio.ensure_future(_complain(url.rstrip("/"), value)))
        raise


async def _complain(url: str, value: dict[str, Any]) -> None:
    client = trainer_client.TrainerClient(http_client.transport(), 10**6)
    body = {
        "rollout_id": value["rollout_id"],
        "status": "ERROR",
        "error_message": "refused",
        "finish_reason": "error",
        "final_messages": [],
    }
    text = json_response({**body, "extra_fields": {"error_category": "internal_error"}}).body
    with contextlib.suppress(errors.RolloutError):
        await client.attempt(url + delivery.PATH, bytes(text), trainer_client.headers(value.get("api_key")), 5)


_sulks_until = [0.0]


def _sulks(original: Any, asked: Any, app_state: Any, result: str, detail: str) -> bool:
    if result == "unreachable":
        _sulks_until[0] = time.monotonic() + 1
    return bool(original(asked, app_state, result, detail))


def _sulking_health() -> None:
    original = endpoints.health

    def health(service: Any) -> Any:
        if time.monotonic() < _sulks_until[0]:
            raise RuntimeError("planted")
        return original(service)

    around(delivery, "log_delivery", _sulks)()
    put(endpoints, "health", health)()


async def _keeps_the_place(self: Any, asked: Any, run: Any) -> None:
    try:
        if not await delivery.deliver(asked, await run, self.app_state):
            await self.slots._free.acquire()
    finally:
        self.idempotency.finish(asked.rollout_id, time.monotonic())
        self.slots.leave()


_again: set[str] = set()


_posted: set[str] = set()


def _noted(self: Any, asked: Any) -> Any:
    if asked.rollout_id in _posted:
        _again.add(asked.rollout_id)
    return self._by_id.get(asked.rollout_id)


def _changes_its_mind() -> None:
    """A posted, unacknowledged result changes when the start is repeated in the meantime."""
    original = TrainerClient.attempt

    async def attempt(self: Any, url: str, body: bytes, headers: Any, timeout_s: float) -> Any:
        if url.endswith("/v1/rollout/completed"):
            result = json.loads(body)
            if result["rollout_id"] in _again and result["status"] == "COMPLETED":
                body = json.dumps({**result, "extra_fields": {"reported_again": True}}).encode()
            _posted.add(result["rollout_id"])
        return await original(self, url, body, headers, timeout_s)

    put(TrainerClient, "attempt", attempt)()
    put(IdempotencyStore, "with_id", _noted)()


def _forgets_what_was_asked_again() -> None:
    """A rollout whose start was repeated is not reported at shutdown."""
    again: set[str] = set()
    ending: list[bool] = []

    def noted(self: Any, asked: Any) -> Any:
        record = self._by_id.get(asked.rollout_id)
        if record is not None:
            again.add(asked.rollout_id)
        return record

    def begun(original: Any, self: Any) -> None:
        ending.append(True)
        original(self)

    async def deliver(original: Any, start: Any, result: Any, app_state: Any) -> bool:
        return False if ending and start.rollout_id in again else bool(await original(start, result, app_state))

    put(IdempotencyStore, "with_id", noted)()
    around(Service, "begin_to_stop", begun)()
    around(delivery, "deliver", deliver)()


MUTANTS = (
    Mutant(
        "failure_unreported",
        breaks="136",
        also=(
            "088",
            "119",
            "121",
            "122",
            "123",
            "124",
            "128",
            "129",
            "144",
            "067",
            "066",
            "076",
            "077",
            "083",
            "082",
            "091",
            "130",
            "137",
            "139",
            "175",
            "062",
            "090",
            "106",
            "204",
        ),
        what="the result of a failed rollout is not posted",
        patch=around(delivery, "deliver", _silent),
        dialects=CALLBACK,
    ),
    Mutant(
        "contradicts",
        breaks="137",
        also=("139", "140"),
        what="after an unacknowledged result a different one is posted",
        patch=around(delivery, "deliver", _contradicts),
        dialects=CALLBACK,
    ),
    Mutant(
        "changes_its_mind",
        breaks="137",
        what="a start repeated before the acknowledgement changes the result",
        patch=_changes_its_mind,
        dialects=CALLBACK,
        by=EXPLORATION,
    ),
    Mutant(
        "only_200",
        breaks="138",
        also=("140", "082"),
        what="only 200 counts as an acknowledgement",
        patch=around(retry, "should_retry", lambda o, status: o(status) or status in (201, 202, 204)),
        dialects=CALLBACK,
    ),
    Mutant(
        "posts_once",
        breaks="139",
        also=("137", "145"),
        what="a completion is not retried",
        patch=put(AppState, "completion_policy", lambda self: retry.Policy(0, 0.02, 2.0)),
        dialects=CALLBACK,
    ),
    Mutant(
        "posts_twice",
        breaks="140",
        also=("136", "137", "138", "139", "148", "149", "151", "152", "154", "144"),
        what="an acknowledged completion is posted again",
        patch=around(delivery, "deliver", _twice),
        dialects=CALLBACK,
    ),
    Mutant(
        "reports_refusals",
        breaks="142",
        also=("112", "137", "140", "158"),
        what="a rejected start is reported as failed",
        patch=around(request_parsing, "validate", _reports_refusals),
        dialects=CALLBACK,
    ),
    Mutant(
        "completion_keyless",
        breaks="143",
        what="a completion carries no key",
        patch=put(delivery, "post", _keyless),
        dialects=CALLBACK,
    ),
    Mutant(
        "silent_shutdown",
        breaks="144",
        what="shutdown drops running rollouts without a result",
        patch=put(Service, "begin_to_stop", _begin_silently),
        dialects=CALLBACK,
    ),
    Mutant(
        "forgets_at_the_end",
        breaks="144",
        what="a rollout whose start was repeated is not reported at shutdown",
        patch=_forgets_what_was_asked_again,
        dialects=CALLBACK,
        by=EXPLORATION,
    ),
    Mutant(
        "sulks",
        breaks="145",
        also=("002", "204"),
        what="health fails after an undelivered completion",
        patch=_sulking_health,
        dialects=CALLBACK,
    ),
    Mutant(
        "keeps_the_place",
        breaks="146",
        what="an undelivered completion keeps its slot",
        patch=put(Service, "report", _keeps_the_place),
        dialects=CALLBACK,
    ),
)
