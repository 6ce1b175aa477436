"""Records, replayed responses, and outages of the state store."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.removable import noticed, of_folder, removable
from rollout_conformance.rollout_server.tests.router.support import (
    KEY,
    OTHER,
    Caller,
    backends,
    error,
    play,
    play_with,
    routed,
    until,
)


async def audit(c: Caller, request_id: str, key: str = KEY) -> Any:
    return await c.get(f"/v1/audit/requests/{request_id}", headers={"x-api-key": key})


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_on_record(stream: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        await c.ask(stream=stream, headers={"x-request-id": "mine"})
        record = (await audit(c, "mine")).json()
        expected = {
            "request_id": "mine",
            "org": "one",
            "model": "toy",
            "backend": "a",
            "decision": "PRIMARY",
            "status": 200,
            "prompt_tokens": 5,
            "completion_tokens": 7,
            "total_tokens": 12,
        }
        assert expected.items() <= record.items()
        assert record["latency_ms"] > 0
        assert "France" not in str(record)
        for other in (await audit(c, "mine", OTHER), await audit(c, "nobody's")):
            assert (other.status_code, error(other)["code"]) == (404, "not_found")
        assert (await c.get("/v1/audit/requests/mine")).status_code == 401

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize("header", ["idempotency-key", "x-request-id"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_same_request_is_answered_once(header: str, stream: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async def ask(name: str, **more: Any) -> Any:
            return await c.ask(stream=stream, headers={header: name}, **more)

        first = await ask("x")
        second = await ask("x")
        assert (first.content, first.status_code) == (second.content, second.status_code)
        assert second.headers["x-idempotent-replay"] == "true"
        assert first.headers["x-routing-backend"] == second.headers["x-routing-backend"]
        assert fakes[0].calls == 1
        await ask("y")
        await ask("x", key=OTHER)
        assert fakes[0].calls == 3
        changed = await ask("x", temperature=1)
        assert changed.status_code == (422 if header == "idempotency-key" else 200)

    play_with(scenario, Fake("a"))


def test_duplicates_wait_for_the_first() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        answers = await asyncio.gather(*(c.ask(headers={"idempotency-key": "x"}) for _ in range(5)))
        assert len({answer.content for answer in answers}) == 1
        assert fakes[0].calls == 1

    play_with(scenario, Fake("a", pause_s=0.05))


def test_when_the_first_leaves_the_next_one_asks() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        first = asyncio.create_task(c.ask(headers={"idempotency-key": "x"}))
        await until(lambda: fakes[0].running)
        second = asyncio.create_task(c.ask(headers={"idempotency-key": "x"}))
        await asyncio.sleep(0.02)
        first.cancel()
        assert (await second).status_code == 200
        assert fakes[0].calls == 2

    play_with(scenario, Fake("a", pause_s=0.1))


def test_failures_are_not_repeated_from_memory() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for status, calls in ((500, 1), (429, 2), (400, 3), (200, 3)):
            fakes[0].status = status
            answer = await c.ask(headers={"idempotency-key": "x"})
            assert fakes[0].calls == calls
        assert answer.status_code == 400

    play_with(scenario, Fake("a"))


def test_answers_are_forgotten() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        await c.ask(headers={"idempotency-key": "x"})
        await asyncio.sleep(0.06)
        await c.ask(headers={"idempotency-key": "x"})
        assert fakes[0].calls == 2

    play_with(scenario, Fake("a"), replay_s=0.05)


def test_the_store_fails_and_recovers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with removable(tmp_path) as store, backends(Fake("a")) as fakes, routed(fakes, state=store.url) as c:
            await c.ask(headers={"x-request-id": "r"})
            await audit(c, "r")
            await store.take_away()
            await noticed(c)
            for answer in (await c.ask(), await audit(c, "r"), await c.admin("GET", "/keys")):
                assert (answer.status_code, error(answer)["code"]) == (503, "state_unavailable")
                assert int(answer.headers["retry-after"]) >= 1
                assert str(tmp_path) not in answer.text
            assert fakes[0].calls == 1
            ready = await c.get("/v1/status/readyz")
            assert (ready.status_code, ready.json()["components"]["state"]) == (503, "unhealthy")
            assert (await c.get("/health")).status_code == 200
            await store.restore()
            assert (await c.ask()).status_code == 200
            assert (await audit(c, "r")).status_code == 200
            assert (await c.get("/v1/status/readyz")).status_code == 200

    play(scenario)


def test_a_removed_file_is_noticed_immediately(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = of_folder(tmp_path)
        async with backends(Fake("a")) as fakes, routed(fakes, state=store.url) as c:
            assert (await c.ask()).status_code == 200
            await store.take_away()
            assert (await c.ask()).status_code == 503
            assert fakes[0].calls == 1

    play(scenario)


@pytest.mark.parametrize("stream", [False, True])
def test_requests_during_an_outage_of_the_store_are_recorded_later(stream: bool, tmp_path: Path) -> None:
    async def scenario() -> None:
        fake = Fake("a", pause_s=0.05)
        async with removable(tmp_path) as store, backends(fake) as fakes, routed(fakes, state=store.url) as c:
            asking = asyncio.create_task(c.ask(stream=stream, headers={"x-request-id": "r"}))
            await until(lambda: fake.running)
            await store.take_away()
            await noticed(c)
            assert (await asking).status_code == 200
            assert (await c.get("/v1/status/readyz")).status_code == 503
            await store.restore()
            record = (await audit(c, "r")).json()
            assert (record["status"], record["total_tokens"]) == (200, 12)

    play(scenario)


def test_a_store_that_is_not_required(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.ask(headers={"x-request-id": "r"})).status_code == 200  # it never was there
        assert (await c.ask(key="nobody")).status_code == 401
        assert (await c.get("/v1/status/readyz")).status_code == 200
        folder.mkdir()
        assert (await c.ask(key=OTHER)).status_code == 200
        assert (await c.ask()).status_code == 402  # what was spent meanwhile is known
        assert (await audit(c, "r")).json()["status"] == 200  # and what was done is on record

    url = f"sqlite+aiosqlite:///{folder}/state.db"
    keys = ({"key": KEY, "budget_tokens": 12}, {"key": OTHER})
    play_with(scenario, Fake("a"), state=url, state_required=False, keys=keys)


def test_a_shutdown_without_the_store_logs_lost_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for _ in range(3):
            assert (await c.ask()).status_code == 200

    url = f"sqlite+aiosqlite:///{tmp_path}/nowhere/state.db"
    play_with(scenario, Fake("a"), state=url, state_required=False, log_level="error")
    (line,) = capsys.readouterr().err.splitlines()
    assert {"event": "records_lost", "count": 3}.items() <= json.loads(line).items()


def test_a_store_in_memory() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        await asyncio.gather(*(c.ask(headers={"x-request-id": f"r{number}"}) for number in range(20)))
        for number in range(20):
            assert (await audit(c, f"r{number}")).json()["status"] == 200

    play_with(scenario, Fake("a"), state="sqlite+aiosqlite://")


def test_many_concurrent_requests_are_all_served() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        answers = await asyncio.gather(*(c.ask() for _ in range(100)))
        assert {answer.status_code for answer in answers} == {200}

    play_with(scenario, Fake("a"), state_timeout_s=0.5)


def test_stored_state_survives_a_restart(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/state.db"

    async def scenario() -> None:
        async with backends(Fake("a")) as fakes:
            async with routed(fakes, state=url) as c:
                await c.ask(headers={"x-request-id": "r"})
                keys = (await c.admin("GET", "/keys")).json()["data"]
                await c.admin("DELETE", f"/keys/{next(key['id'] for key in keys if key['org'] == 'another')}")
                await c.ask(headers={"x-request-id": "last"})
            assert KEY.encode() not in (tmp_path / "state.db").read_bytes()
            async with routed(fakes, state=url) as c:
                for name in ("r", "last"):
                    assert (await audit(c, name)).json()["status"] == 200
                assert (await c.ask(key=OTHER)).status_code == 401

    play(scenario)
