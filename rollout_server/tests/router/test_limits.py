"""The limits of a key: requests per second, token budget and concurrency."""

import asyncio

import pytest

from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import (
    ADMIN,
    KEY,
    OTHER,
    PATH,
    Caller,
    chunks,
    error,
    play_with,
    until,
)

LIMITED = ({"key": KEY, "rps": 1, "burst": 5}, {"key": OTHER, "rps": 1, "burst": 2})
BUDGET = ({"key": KEY, "budget_tokens": 20}, {"key": OTHER, "budget_tokens": 20})


def test_a_burst_admits_exactly_what_is_allowed() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        answers = await asyncio.gather(*(c.ask() for _ in range(20)))
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 15
        assert fakes[0].calls == 5
        remaining = sorted(int(answer.headers["x-ratelimit-remaining"]) for answer in answers)
        assert remaining == [0] * 16 + [1, 2, 3, 4]
        for answer in answers:
            assert answer.headers["x-ratelimit-limit"] == "5"
            if answer.status_code == 429:
                assert error(answer)["code"] == "rate_limit_exceeded"
                assert int(answer.headers["retry-after"]) >= 1
        assert (await c.ask(key=OTHER)).status_code == 200

    play_with(scenario, Fake("a"), keys=LIMITED)


def test_a_request_after_retry_after_is_admitted() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        while (refused := await c.ask()).status_code == 200:
            pass
        await asyncio.sleep(int(refused.headers["retry-after"]))
        assert (await c.ask()).status_code == 200

    play_with(scenario, Fake("a"), keys=({"key": KEY, "rps": 2, "burst": 2},))


def test_every_answer_tells_the_limits() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        answers = [
            await c.ask(model="nope"),
            await c.post(PATH, content=b"{", headers={"x-api-key": KEY}),
            await c.get("/v1/models", headers={"x-api-key": KEY}),
            await c.get("/v1/admin/keys", headers={"x-api-key": KEY}),
            await c.ask(stream=True),
        ]
        assert [answer.status_code for answer in answers] == [404, 400, 200, 403, 200]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "3", "3", "2"]
        assert "x-ratelimit-limit" not in (await c.get("/health")).headers

    play_with(scenario, Fake("a"), keys=LIMITED)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("bearer", [False, True])
def test_a_budget_ends(stream: bool, bearer: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for _ in range(2):  # 12 tokens each
            answer = await c.ask(stream=stream)
            assert answer.status_code == 200
            assert not stream or all("usage" not in event for event in chunks(answer.text))
        own = {"headers": {"authorization": f"Bearer {KEY}"}, "key": ""} if bearer else {}
        answer = await c.ask(stream=stream, **own)
        assert (answer.status_code, error(answer)["code"]) == (402, "budget_exceeded")
        assert fakes[0].calls == 2
        assert (await c.ask(key=OTHER)).status_code == 200

    play_with(scenario, Fake("a"), keys=BUDGET)


def test_a_disconnected_client_is_charged_for_received_tokens() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        asking = asyncio.create_task(c.ask(stream=True))
        await until(lambda: fakes[0].sent >= 25)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: not c.app_state.running)
        while (await c.ask()).status_code != 402:
            assert fakes[0].calls < 3

    play_with(scenario, Fake("a", pause_s=0.002, words=["x "] * 500), keys=BUDGET)


def test_requests_beyond_the_limit_are_rejected() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        running = [asyncio.create_task(c.ask()) for _ in range(2)]
        await until(lambda: fakes[0].running == 2)
        assert (await c.admin("GET", "/planner")).json() == {
            "running": 2,
            "capacity": 2,
            "backends": 1,
            "advice": "scale_up",
        }
        refused = await c.ask()
        assert (refused.status_code, error(refused)["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert [answer.status_code for answer in await asyncio.gather(*running)] == [200, 200]
        assert (await c.ask()).status_code == 200

    play_with(scenario, Fake("a", pause_s=0.2), max_concurrent=2, backend_capacity=2)


def test_a_key_is_created_used_and_revoked() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        made = await c.admin("POST", "/keys", json={"org": "new", "scopes": ["inference"], "rps": 5, "burst": 9})
        assert made.status_code == 201
        secret = made.json()["key"]
        answer = await c.ask(key=secret)
        assert (answer.status_code, answer.headers["x-ratelimit-limit"]) == (200, "9")
        model_entry = await c.admin("GET", "/keys")
        assert secret not in model_entry.text
        assert {key["org"] for key in model_entry.json()["data"]} == {"one", "another", "ops", "new"}
        revoked = await c.admin("DELETE", f"/keys/{made.json()['id']}")
        assert revoked.json() == {"id": made.json()["id"], "object": "key", "revoked": True}
        assert (await c.ask(key=secret)).status_code == 401
        own = next(key["id"] for key in model_entry.json()["data"] if key["org"] == "one")
        await c.admin("DELETE", f"/keys/{own}")
        assert (await c.ask()).status_code == 401
        assert fakes[0].calls == 1
        assert (await c.admin("DELETE", "/keys/nobody")).status_code == 404

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize(
    ("wanted", "status", "param"),
    [
        ({}, 400, "org"),
        ({"org": "x", "rps": 0}, 400, "rps"),
        ({"org": "x", "burst": 3}, 400, None),
        ({"org": "x", "scopes": ["root"]}, 400, "scopes.0"),
        ({"org": "x", "key": "short"}, 400, "key"),
        ({"org": "x", "unknown": 1}, 400, "unknown"),
        ([], 400, None),
        ({"org": "x", "key": "long-enough-for-a-key"}, 201, None),
    ],
)
def test_a_key_that_is_asked_for(wanted: object, status: int, param: str | None) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        answer = await c.admin("POST", "/keys", json=wanted)
        assert answer.status_code == status
        if status == 400:
            assert error(answer)["param"] == param
        else:
            assert error(await c.admin("POST", "/keys", json=wanted))["code"] == "key_exists"

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("2", 2), (None, 3), ("0", None), ("x", None), ("²", None)])
def test_decisions(limit: str | None, count: int | None) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for number in range(3):
            await c.ask(headers={"x-request-id": f"r{number}"})
        answer = await c.admin("GET", "/routing/decisions", params={"limit": limit} if limit else {})
        if count is None:
            assert (answer.status_code, error(answer)["param"]) == (400, "limit")
        else:
            assert [one["request_id"] for one in answer.json()["data"]] == ["r2", "r1", "r0"][:count]

    play_with(scenario, Fake("a"))


def test_operators_only_operate() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.ask(key=ADMIN)).status_code == 403
        assert fakes[0].calls == 0

    play_with(scenario, Fake("a"))
