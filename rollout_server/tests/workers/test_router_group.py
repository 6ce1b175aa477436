"""A router of two processes is one router, whichever of them is asked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.common.settings import SettingsError
from rollout_conformance.rollout_server.router import app, in_group
from rollout_conformance.rollout_server.tests.rollout.support import DEADLINE_S
from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import (
    ADMIN,
    KEY,
    PATH,
    backends,
    body,
    configured,
    empty_state,
    said,
    until,
)
from rollout_conformance.rollout_server.tests.router.support import chunks as events_of
from rollout_conformance.rollout_server.tests.workers.support import group, names_of

Clients = list[httpx.AsyncClient]
Scenario = Callable[[Clients, list[Fake]], Awaitable[None]]


def play(scenario: Scenario, *fakes: Fake, count: int = 2, **settings: Any) -> None:
    async def whole() -> None:
        async with asyncio.timeout(DEADLINE_S), backends(*(fakes or (Fake("a"), Fake("b")))) as running:
            await empty_state()
            given = configured(running, **settings)
            async with group(lambda member: in_group.create(app.create_app, given, member), count) as clients:
                await scenario(clients, running)

    asyncio.run(whole())


async def ask(client: httpx.AsyncClient, *, key: str = KEY, headers: Any = None, **more: Any) -> httpx.Response:
    return await client.post(PATH, json=body(**more), headers={"x-api-key": key, **(headers or {})})


async def admin(client: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:
    return await client.request(method, f"/v1/admin{path}", headers={"x-api-key": ADMIN}, **more)


ADMINS = {"key": ADMIN, "org": "ops", "scopes": ["admin"]}


def test_a_rate_limit_is_that_of_all_processes() -> None:
    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        answers = await asyncio.gather(*(ask(client) for client in clients * 5))
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 5

    play(scenario, keys=({"key": KEY, "rps": 0.01, "burst": 5},))


@pytest.mark.parametrize("stream", [False, True])
def test_a_budget_is_spent_by_all_processes_exactly(stream: bool) -> None:
    """Each response takes 12 of 30 tokens: the third one is the last, whoever is asked."""

    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        statuses = []
        for client in clients + clients:
            statuses.append((await ask(client, stream=stream)).status_code)
        assert statuses == [200, 200, 200, 402, 402, 402, 402, 402]
        listed = [(await admin(client, "GET", "/keys")).json()["data"] for client in clients]
        assert all([one["spent_tokens"] for one in keys if one["budget_tokens"]] == [36] for keys in listed)

    play(scenario, Fake("a"), count=4, keys=({"key": KEY, "budget_tokens": 30}, ADMINS))


def test_a_repetition_gets_the_response_of_the_first_request() -> None:
    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        for name in (*names_of(0), *names_of(1)):
            for stream in (False, True):
                same = {"idempotency-key": f"{name}{stream}"}
                answers = await asyncio.gather(*(ask(one, headers=same, stream=stream) for one in clients * 2))
                assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
        assert sum(fake.calls for fake in fakes) == 4
        replays = (await clients[0].get("/metrics")).text
        assert "router_replays_total 12.0" in replays

    play(scenario)


def test_a_key_that_was_used_with_another_body_is_rejected_everywhere() -> None:
    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        same = {"idempotency-key": "k"}
        assert (await ask(clients[0], headers=same)).status_code == 200
        assert [(await ask(one, headers=same, max_tokens=3)).status_code for one in clients] == [422, 422]

    play(scenario)


def test_a_stream_is_forwarded_as_it_arrives_and_ends_with_its_client() -> None:
    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        (elsewhere,) = names_of(1)
        headers = {"x-api-key": KEY, "x-request-id": elsewhere}
        async with clients[0].stream("POST", PATH, json=body(stream=True), headers=headers) as response:
            assert response.headers["x-request-id"] == elsewhere
            assert response.headers.get_list("date") == [response.headers["date"]]
            async for _ in response.aiter_bytes():
                assert fakes[0].sent < 7
                break
        await until(lambda: fakes[0].left == 1)
        whole = await ask(clients[0], headers={"x-request-id": "x"}, stream=True)
        assert said(events_of(whole.text)) == "The capital of France is Paris."

    play(scenario, Fake("a", pause_s=0.05))


def test_a_client_that_leaves_ends_the_request_that_was_handed_over() -> None:
    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        (elsewhere,) = names_of(1)
        asking = asyncio.create_task(ask(clients[0], headers={"x-request-id": elsewhere}))
        await until(lambda: fakes[0].running)
        asking.cancel()
        await until(lambda: fakes[0].left)

    play(scenario, Fake("a", pause_s=30))


def test_concurrency_is_limited_in_all_processes_together() -> None:
    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        asking = [asyncio.create_task(ask(one)) for one in clients]
        await until(lambda: fakes[0].running == 2)
        full = [await ask(one) for one in clients]
        assert [answer.status_code for answer in full] == [503, 503]
        plan = (await admin(clients[0], "GET", "/planner")).json()
        assert plan["running"] == 2
        listed = (await admin(clients[1], "GET", "/routing/backends")).json()["data"]
        assert [one["running"] for one in listed] == [2]
        for task in asking:
            task.cancel()
        await until(lambda: fakes[0].left == 2)
        fakes[0].pause_s = 0
        while (await ask(clients[0])).status_code == 503:
            pass

    play(scenario, Fake("a", pause_s=30), max_concurrent=2)


def test_a_degraded_backend_is_left_out_by_all_processes() -> None:
    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        assert (await admin(clients[0], "POST", "/routing/backends/a/degrade", json={})).status_code == 200
        for client in clients * 4:
            assert (await ask(client)).headers["x-routing-backend"] == "b"
        await admin(clients[1], "POST", "/routing/backends/a/healthy")
        seen = {(await ask(clients[0])).headers["x-routing-backend"] for _ in range(40)}
        assert seen == {"a", "b"}

    play(scenario)


def test_a_conversation_stays_with_its_backend_whoever_is_asked() -> None:
    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        first = (await ask(clients[0])).headers["x-routing-backend"]
        for client in clients * 4:
            answer = await ask(client)
            assert (answer.headers["x-routing-backend"], answer.headers["x-routing-decision"]) == (first, "AFFINITY")

    play(scenario, affinity=True)


def test_a_revoked_key_is_rejected_by_all_processes_at_once() -> None:
    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        new = (await admin(clients[0], "POST", "/keys", json={"org": "one"})).json()
        assert [(await ask(client, key=new["key"])).status_code for client in clients] == [200, 200]
        await admin(clients[1], "DELETE", f"/keys/{new['id']}")
        assert [(await ask(client, key=new["key"])).status_code for client in clients] == [401, 401]

    play(scenario)


def test_records_and_decisions_are_found_in_all_processes() -> None:
    async def scenario(clients: Clients, fakes: list[Fake]) -> None:
        names = [*names_of(0, many=2), *names_of(1, many=2)]
        for name in names:
            await ask(clients[0], headers={"x-request-id": name})
            for client in clients:
                found = await client.get(f"/v1/audit/requests/{name}", headers={"x-api-key": KEY})
                assert (found.status_code, found.json().get("status")) == (200, 200)
        missing = await clients[0].get("/v1/audit/requests/unknown", headers={"x-api-key": KEY})
        assert missing.status_code == 404
        for client in clients:
            listed = (await admin(client, "GET", "/routing/decisions?limit=3")).json()
            assert [one["request_id"] for one in listed["data"]] == [*reversed(names)][:3]
            assert listed["count"] == 3
        assert (await admin(clients[0], "GET", "/routing/decisions?limit=x")).status_code == 400

    play(scenario)


def test_a_database_in_memory_is_refused() -> None:
    settings = configured([], state="sqlite+aiosqlite:///:memory:")
    with pytest.raises(SettingsError, match="cannot be shared by several workers"):
        in_group.check(settings)
