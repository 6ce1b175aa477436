"""Defects that need time or company: deadlines, many rollouts at once, repeated starts, long conversations."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.common.request_parsing import Refusal
from rollout_conformance.rollout_server.mutants.framework import BOTH, CALLBACK, SYNC, Mutant, around, put
from rollout_conformance.rollout_server.rollout import (
    concurrency,
    delivery,
    endpoints,
    errors,
    generation,
    idempotency,
    start_request,
    tools,
    trainer_client,
)
from rollout_conformance.rollout_server.rollout.concurrency import Slots
from rollout_conformance.rollout_server.rollout.idempotency import Registry
from rollout_conformance.rollout_server.rollout.service import Service

_kept: list[Any] = []


async def _busy_health(self: Any, request: Any) -> Response:
    service = endpoints.service_of(request)
    if service.active:
        await asyncio.sleep(3)
    return endpoints.json_response(endpoints.health(service))


_arrived: dict[str, float] = {}


async def _noting_arrival(original: Any, self: Any, asked: Any) -> Any:
    _arrived[asked.rollout_id] = time.monotonic()
    return await original(self, asked)


async def _with_the_queue(self: Any, state: Any) -> str:
    """The rollout's deadline counts from its start, the time in the queue included."""
    allowed = self.kit.settings.timeout_s
    waited = time.monotonic() - _arrived[state.start.rollout_id]
    try:
        async with asyncio.timeout(allowed - waited):
            return str(await self.agent.run(state, self.kit))
    except TimeoutError as error:
        raise errors.rollout_timeout(allowed) from error


def _deadline_from_arrival() -> None:
    _method(Service, "conduct", _noting_arrival)()
    put(Service, "within_deadline", _with_the_queue)()


async def _waits_for_ever(self: Any, state: Any) -> str:
    return str(await self.agent.run(state, self.kit))


async def _deaf(original: Any, box: Any, name: str, arguments: Any) -> Any:
    if name == "wait":
        end = time.monotonic() + 8
        while time.monotonic() < end:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(end - time.monotonic())
    return await original(box, name, arguments)


def _unbounded_calls() -> None:
    original = trainer_client.TrainerClient.attempt

    async def attempt(self: Any, url: str, body: bytes, headers: Any, timeout_s: float) -> Any:
        return await original(self, url, body, headers, 3600.0 if url.endswith("/chat/completions") else timeout_s)

    put(trainer_client.TrainerClient, "attempt", attempt)()


def _reports_refusals(original: Any, value: Any, build: Any) -> Any:
    try:
        return original(value, build)
    except Refusal:
        url = str(value.get("server_url")) if isinstance(value, dict) else ""
        if url.startswith("http://127.0.0.1") and value.get("rollout_id"):
            _kept.append(asyncio.ensure_future(_complain(url.rstrip("/"), value)))
        raise


async def _complain(url: str, value: dict[str, Any]) -> None:
    client = trainer_client.TrainerClient(trainer_client.transport(), 10**6)
    body = {
        "rollout_id": value["rollout_id"],
        "status": "ERROR",
        "error_message": "refused",
        "finish_reason": "error",
        "final_messages": [],
    }
    text = endpoints.json_response({**body, "extra_fields": {"error_category": "internal_error"}}).body
    with contextlib.suppress(errors.RolloutError):
        await client.attempt(url + delivery.PATH, bytes(text), trainer_client.headers(value.get("api_key")), 5)


_sulks_until = [0.0]


def _sulks(original: Any, asked: Any, kit: Any, result: str, detail: str) -> bool:
    if result == "unreachable":
        _sulks_until[0] = time.monotonic() + 1
    return bool(original(asked, kit, result, detail))


def _sulking_health() -> None:
    original = endpoints.health

    def health(service: Any) -> Any:
        if time.monotonic() < _sulks_until[0]:
            raise RuntimeError("planted")
        return original(service)

    around(delivery, "note", _sulks)()
    put(endpoints, "health", health)()


async def _keeps_the_place(self: Any, asked: Any, run: Any) -> None:
    try:
        if not await delivery.deliver(asked, await run, self.kit):
            await self.slots._free.acquire()
    finally:
        self.registry.finish(asked.rollout_id, time.monotonic())
        self.slots.leave()


_seen: dict[str, float] = {}


def _blind_at_first(self: Any, asked: Any) -> Any:
    now, first = time.monotonic(), _seen.get(asked.rollout_id)
    _seen.setdefault(asked.rollout_id, now)
    return None if first is not None and now - first < 0.01 else self._by_id.get(asked.rollout_id)


def _same_key(self: Any, asked: Any) -> Any:
    record = self._by_id.get(asked.rollout_id)
    return None if record and record.key and record.key == idempotency.key_digest(asked) else record


def _forgets_tools(original: Any, self: Any, asked: Any, now: float) -> Any:
    record = original(self, asked, now)
    return record and replace(record, reply={**record.reply, "tools": record.reply["tools"][:1]})


def _method(owner: Any, name: str, change: Any) -> Any:
    def patch() -> None:
        original = getattr(owner, name)
        put(owner, name, lambda *arguments: change(original, *arguments))()

    return patch


def _refuses_the_rest() -> None:
    _method(Slots, "__init__", lambda original, self, running, waiting: original(self, running, 0))()
    put(endpoints, "RETRY", {})()


async def _init_when_free(self: Any, request: Any) -> Response:
    service = endpoints.service_of(request)
    asked = await request_parsing.read_start(request, service.kit.settings, start_request.from_callback)
    end = time.monotonic() + 4
    reply = endpoints.launch(lambda: service.accept(asked))
    while service.active > 3 and time.monotonic() < end:
        await asyncio.sleep(0.02)
    return endpoints.json_response(reply, 202)


@contextlib.asynccontextmanager
async def _no_waiting(self: Slots) -> AsyncIterator[None]:
    if self._free.locked():
        await asyncio.Event().wait()
    async with self._free:
        yield


_stuck: dict[int, float] = {}


async def _queues_behind(original: Any, rollout: Any, request: Any, kit: Any) -> Any:
    """While a call of another trainer is out for long, no new one is made, for as long as anybody would wait."""
    me, end = id(rollout), time.monotonic() + 6
    while time.monotonic() < end and any(time.monotonic() - since > 0.001 for since in _stuck.values()):
        await asyncio.sleep(0.01)
    _stuck[me] = time.monotonic()
    try:
        return await original(rollout, request, kit)
    finally:
        _stuck.pop(me, None)


def _at_most_fifty(original: Any, body: Any) -> Any:
    asked = original(body)
    return replace(asked, max_turns=min(asked.max_turns, 50))


def _fifty_turns() -> None:
    for name in ("from_sync", "from_callback"):
        around(start_request, name, _at_most_fifty)()


def _leaks() -> None:
    """Of every ten rollouts that ended, one counts as active for ever."""
    put(Service, "active", property(lambda self: len(self.runs) + self.kit.metrics.count // 10))()


MUTANTS = (
    Mutant("busy_health", "004", "health waits for rollouts", put(endpoints.Health, "get", _busy_health)),
    Mutant("waits_for_replies", "091", "a generation may take for ever", _unbounded_calls, BOTH, ("136",)),
    Mutant("deaf_tool", "108", "a tool ignores its deadline", around(tools, "execute", _deaf), BOTH, ("136",)),
    Mutant(
        "no_deadline_sync",
        "127",
        "a rollout has no deadline",
        put(Service, "within_deadline", _waits_for_ever),
        SYNC,
        ("129", "163"),
    ),
    Mutant(
        "no_deadline_callback",
        "128",
        "a rollout has no deadline",
        put(Service, "within_deadline", _waits_for_ever),
        CALLBACK,
        ("129", "136", "163"),
    ),
    Mutant("queues_on_time", "163", "the time in the queue counts", _deadline_from_arrival),
    Mutant(
        "reports_refusals",
        "142",
        "a refused start is reported as failed",
        around(request_parsing, "validate", _reports_refusals),
        CALLBACK,
        ("112", "137", "140", "158"),
    ),
    Mutant("sulks", "145", "health fails after a lost completion", _sulking_health, CALLBACK, ("002", "204")),
    Mutant(
        "keeps_the_place",
        "146",
        "a lost completion keeps its place",
        put(Service, "report", _keeps_the_place),
        CALLBACK,
    ),
    Mutant("races", "149", "equal starts at once run each", put(Registry, "with_id", _blind_at_first), CALLBACK),
    Mutant(
        "forgets_tools",
        "150",
        "a repeated start shows fewer tools",
        _method(Registry, "find", _forgets_tools),
        CALLBACK,
    ),
    Mutant(
        "same_key_again", "152", "a start with its own key runs again", put(Registry, "with_id", _same_key), CALLBACK
    ),
    Mutant("refuses_the_rest", "161", "beyond the limit 429 without a word when", _refuses_the_rest),
    Mutant(
        "init_when_free",
        "162",
        "the 202 waits for a place",
        put(endpoints.CallbackInit, "post", _init_when_free),
        CALLBACK,
        ("004",),
    ),
    Mutant(
        "no_waiting",
        "164",
        "who has to wait never runs",
        put(concurrency.Slots, "slot", _no_waiting),
        BOTH,
        ("146", "160", "163"),
    ),
    Mutant(
        "queues_behind",
        "165",
        "one call at a time",
        around(generation, "send", _queues_behind),
        BOTH,
        ("136", "145", "159", "163"),
    ),
    Mutant("fifty_turns", "203", "long conversations end early", _fifty_turns, BOTH, ("113",)),
    Mutant("leaks", "204", "some rollouts count as active for ever", _leaks),
)
