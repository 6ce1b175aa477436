"""The write buffer: nothing is lost, nothing counts twice, and newer records are kept."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from rollout_conformance.rollout_server.router import api_keys, sql, write_buffer
from rollout_conformance.rollout_server.router import key_store as ledgers
from rollout_conformance.rollout_server.router.state_store import Store, StoreDownError, create_engine, parse_url
from rollout_conformance.rollout_server.router.write_buffer import WriteBuffer
from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import (
    ADMIN,
    KEY,
    STATE,
    Caller,
    backends,
    error,
    play,
    play_with,
    routed,
)


def row(record_id: str, **values: Any) -> dict[str, Any]:
    return {"record_id": record_id, **values}


def test_a_taken_batch_no_longer_waits() -> None:
    b = WriteBuffer()
    b.put(row("r", status=None))
    b.put(row("r", status=200))
    b.spend("k", 5)
    batch = b.take()
    assert (batch.rows, batch.unwritten, b.waiting) == ({"r": row("r", status=200)}, {"k": 5}, 0)
    assert not b.take()


def test_a_restored_batch_is_older_than_new_records() -> None:
    b = WriteBuffer()
    for record_id in "xy":
        b.put(row(record_id, status=None))
    b.spend("k", 5)
    batch = b.take()
    b.put(row("x", status=200))
    b.spend("k", 7)
    b.restore(batch)
    again = b.take()
    assert again.rows == {"x": row("x", status=200), "y": row("y", status=None)}
    assert again.unwritten == {"k": 12}


def test_spent_tokens_are_written_in_parts() -> None:
    b = WriteBuffer()
    b.spend("k", 5)
    assert (b.spent("k"), b.taken("k")) == (5, 0)
    batch = b.take()
    b.spend("k", 7)
    assert (b.spent("k"), b.taken("k")) == (12, 5)
    b.restore(batch)
    assert (b.spent("k"), b.taken("k")) == (12, 0)


def test_tokens_alone_wait_as_well() -> None:
    b = WriteBuffer()
    b.spend("k", 0)
    assert not b.waiting
    b.spend("k", 1)
    assert b.waiting


def test_there_is_an_end_to_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_buffer, "MOST", 2)
    b = WriteBuffer()
    for record_id in "xyz":
        b.put(row(record_id))
    assert (list(b.take().rows), b.lost) == (["y", "z"], 1)


@pytest.mark.parametrize(("given", "kept"), [("toy", "toy"), ("a\0b", "a?b"), ("a\ud800b", "a?b"), ("ü€", "ü€")])
def test_storable_values(given: str, kept: str) -> None:
    assert sql.storable(given) == kept


def test_every_token_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are read and spending is written all the time, while requests spend."""
    monkeypatch.setattr(ledgers, "FRESH_S", 0)
    monkeypatch.setattr(ledgers, "WRITE_S", 0)

    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        spent = 0

        async def some() -> None:
            nonlocal spent
            for _ in range(10):
                assert (await c.ask()).status_code == 200
                spent += 12
                assert await known(c) >= spent

        await asyncio.gather(*(some() for _ in range(5)))
        assert await known(c) == spent == 600
        model_entry = (await c.admin("GET", "/keys")).json()["data"]
        assert sorted(key["spent_tokens"] for key in model_entry) == [0, 600]

    async def known(c: Caller) -> int:
        (written,) = (key for key in await c.app_state.key_store.keys() if key.budget_tokens)
        found = await c.app_state.key_store.key(hashed)
        assert found is not None
        assert found.spent_tokens >= written.spent_tokens
        return found.spent_tokens

    hashed = api_keys.digest(KEY.encode())
    given = ({"key": KEY, "budget_tokens": 10**6}, {"key": ADMIN, "scopes": ["admin"]})
    play_with(scenario, Fake("a"), keys=given)


def test_routers_with_one_store_share_a_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ledgers, "FRESH_S", 0)
    given = {"state": STATE or f"sqlite+aiosqlite:///{tmp_path}/state.db", "keys": ({"key": KEY, "budget_tokens": 20},)}

    async def scenario() -> None:
        async with backends(Fake("a")) as fakes, routed(fakes, **given) as one, routed(fakes, **given) as other:
            for c in (one, other):
                assert (await c.ask()).status_code == 200
                assert await c.app_state.key_store.is_available()
            assert [error(await c.ask())["code"] for c in (one, other)] == ["budget_exceeded"] * 2

    play(scenario)


@pytest.mark.parametrize("raised", [OverflowError, RuntimeError, UnicodeError])
def test_every_driver_error_is_raised_to_the_caller(raised: type[Exception], tmp_path: Path) -> None:
    async def nothing(connection: Any) -> None:
        return None

    async def fails(connection: Any) -> None:
        raise raised

    async def scenario() -> None:
        waiting = WriteBuffer()
        waiting.spend("k", 3)
        store = Store(STATE or f"sqlite+aiosqlite:///{tmp_path}/s.db", 5.0, nothing, waiting)
        with pytest.raises(StoreDownError, match=raised.__name__):
            await store.do(fails)
        assert (store.is_available(), waiting.waiting) == (False, 1)
        await store.do(nothing)
        assert (store.is_available(), waiting.waiting) == (True, 0)
        await store.close()

    play(scenario)


def test_tables_of_an_earlier_version_are_completed(tmp_path: Path) -> None:
    url = STATE or f"sqlite+aiosqlite:///{tmp_path}/state.db"

    async def scenario() -> None:
        async with backends(Fake("a")) as fakes:
            async with routed(fakes, state=url) as c:
                await c.ask(headers={"x-request-id": "old"})
            engine = create_engine(parse_url(url))
            async with engine.begin() as connection:
                await connection.execute(text("ALTER TABLE router_requests DROP COLUMN trace_id"))
            await engine.dispose()
            async with routed(fakes, state=url) as c:
                for name in ("old", "new"):
                    await c.ask(headers={"x-request-id": "new"})
                    found = await c.app_state.key_store.request("one", name)
                    assert (found["status"], found["trace_id"]) == (200, None)

    play(scenario)


def test_numbers_that_no_store_can_keep() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for member, value in (("budget_tokens", 2**63), ("burst", 2**31), ("org", "a\0b"), ("name", "\0")):
            answer = await c.admin("POST", "/keys", json={"org": "x", "rps": 1, member: value})
            assert (answer.status_code, error(answer)["param"]) == (400, member)
        fakes[0].usage = lambda completion: dict.fromkeys(("prompt_tokens", "completion_tokens"), 10**30)  # type: ignore[method-assign]
        await c.ask(headers={"x-request-id": "huge"})
        assert (await c.app_state.key_store.request("one", "huge"))["prompt_tokens"] == 2**40

    play_with(scenario, Fake("a"))
