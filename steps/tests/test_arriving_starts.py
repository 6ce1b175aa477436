"""Start requests that a trainer sends of its own accord: who gets them, and how they are answered."""

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any

from rollout_conformance.steps.engine.trace import Request, Trace
from rollout_conformance.steps.peers import arriving_starts
from rollout_conformance.steps.peers.arriving_starts import ArrivingStart, ArrivingStarts
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout, ScriptedRolloutServer, StartAnswer


def on_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **fixtures: Any) -> None:
        async def body() -> None:
            await test(*args, **fixtures)

        asyncio.run(body())

    return run


PROMPT = [{"role": "user", "content": "5 plus 3?"}]


def start(name: str = "r1", path: str = "/v1/rollout/init", **members: Any) -> Request:
    return Request("POST", path, (), json.dumps({"rollout_id": name, "messages": PROMPT, **members}).encode())


def hosted(starts: ArrivingStarts, one: ArrivingStart, *refusals: StartAnswer) -> HostedRollout:
    rollout = HostedRollout("", "", one.dialect, Trace(), [], one.rollout_id, list(refusals))
    starts.running[one.rollout_id] = rollout
    one.taken(rollout)
    return rollout


def any_of(dialect: str) -> Any:
    return lambda one: one.dialect == dialect


def arrived(server: ScriptedRolloutServer, request: Request) -> ArrivingStart:
    play = server.receive(request)
    assert isinstance(play, ArrivingStart)
    return play


@on_loop
async def test_a_start_goes_to_the_case_that_it_fits() -> None:
    starts = ArrivingStarts([])
    server = ScriptedRolloutServer(starts)
    sync = asyncio.ensure_future(starts.next(any_of("sync"), 5))
    callback = asyncio.ensure_future(starts.next(any_of("callback"), 5))
    await asyncio.sleep(0)
    one = arrived(server, start())
    assert await callback is one
    assert not sync.done()
    hosted(starts, one)
    await one.wait()
    assert one.response.status == 202
    sync.cancel()


@on_loop
async def test_who_has_a_rollout_already_is_served_first() -> None:
    starts = ArrivingStarts([])
    server = ScriptedRolloutServer(starts)
    new = asyncio.ensure_future(starts.next(any_of("callback"), 5))
    await asyncio.sleep(0)
    further = asyncio.ensure_future(starts.next(any_of("callback"), 5, first=True))
    await asyncio.sleep(0)
    one = arrived(server, start())
    assert await further is one
    assert not new.done()
    new.cancel()


@on_loop
async def test_a_start_that_came_first_is_kept_for_a_case() -> None:
    starts = ArrivingStarts([])
    one = arrived(ScriptedRolloutServer(starts), start())
    assert await starts.next(any_of("callback"), 5) is one


@on_loop
async def test_a_start_that_nobody_takes_is_to_come_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(arriving_starts, "HOLD_S", 0)
    one = arrived(ScriptedRolloutServer(ArrivingStarts([])), start())
    await one.wait()
    assert (one.response.status, one.response.header("retry-after")) == (429, "1")


@on_loop
async def test_a_sync_start_is_answered_when_its_rollout_ends() -> None:
    starts = ArrivingStarts([])
    one = arrived(ScriptedRolloutServer(starts), start(path="/rollout"))
    rollout = hosted(starts, one)
    waiting = asyncio.ensure_future(one.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    rollout.result = b'{"status": "COMPLETED"}'
    rollout.ended.set()
    await waiting
    assert (one.response.status, one.response.body) == (200, rollout.result)


@on_loop
async def test_a_start_that_was_refused_belongs_to_the_same_case_when_it_comes_again() -> None:
    starts = ArrivingStarts([])
    server = ScriptedRolloutServer(starts)
    one = arrived(server, start())
    rollout = hosted(starts, one, StartAnswer(429))
    await one.wait()
    assert one.response.status == 429
    again = server.receive(start())
    assert (again.response.status, len(rollout.starts), rollout.accepted) == (202, 2, True)


@on_loop
async def test_a_start_that_no_server_could_accept_is_refused_and_remembered() -> None:
    starts = ArrivingStarts([])
    play = ScriptedRolloutServer(starts).receive(Request("POST", "/rollout", (), b'{"messages": []}'))
    assert play.response.status == 422
    assert starts.problems == ["rollout_id: a non-empty string is required"]


@on_loop
async def test_a_wait_in_vain_ends() -> None:
    assert await ArrivingStarts([]).next(any_of("sync"), 0.01) is None


@on_loop
async def test_health_and_tools_are_those_of_any_rollout_server() -> None:
    server = ScriptedRolloutServer(ArrivingStarts([{"type": "function"}]))
    assert server.receive(Request("GET", "/health")).response.status == 200
    assert json.loads(server.receive(Request("GET", "/tools")).response.body) == {"tools": [{"type": "function"}]}
    assert server.receive(Request("GET", "/elsewhere")).response.status == 404
