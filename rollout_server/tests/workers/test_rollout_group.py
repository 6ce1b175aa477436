"""A rollout server of two processes is one server, whichever of them is asked."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from rollout_conformance.contracts.rollout.wire_leased import LEASE_HEADER
from rollout_conformance.rollout_server.rollout import app, in_group
from rollout_conformance.rollout_server.rollout.settings import Settings
from rollout_conformance.rollout_server.tests.rollout.support import (
    DEADLINE_S,
    TOKENIZER,
    USER,
    Trainer,
    hang,
    init,
    sync_start,
    tokenizer,
)
from rollout_conformance.rollout_server.tests.workers.support import group, names_of

Clients = list[httpx.AsyncClient]


def play(scenario: Callable[[Clients, Trainer], Awaitable[None]], trainer: Trainer, **settings: Any) -> None:
    quick: dict[str, Any] = {"log_level": "off", "retry_base_s": 0, "retry_max_s": 0, "drain_s": 0}
    given = Settings(**(quick | settings))

    def create(**parts: Any) -> Starlette:
        made = app.create_app(**parts, transport=httpx.MockTransport(trainer))
        made.state.service.app_state.tokenizers.keep((TOKENIZER, None), tokenizer())
        return made

    async def whole() -> None:
        async with asyncio.timeout(DEADLINE_S):
            async with group(lambda member: in_group.create(create, given, member)) as clients:
                await scenario(clients, trainer)

    asyncio.run(whole())


def routed(**changes: Any) -> dict[str, Any]:
    start = {
        "initial_messages": [USER],
        "chat_completions_url": "http://trainer.test",
        "completion_callback_url": "http://trainer.test/v1/rollout/completed",
    }
    return start | changes


def leased(name: str) -> dict[str, Any]:
    return {"rollout_id": name, "initial_messages": [USER], "chat_completions_url": "http://trainer.test"}


async def ended(client: httpx.AsyncClient, name: str) -> str:
    while (status := (await client.get(f"/rollout/{name}/status")).json()["status"]) in ("queued", "running"):
        await asyncio.sleep(0.005)
    return str(status)


@pytest.mark.parametrize("owner", [0, 1])
def test_a_repeated_start_is_one_rollout(owner: int) -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        start = init(rollout_id=names_of(owner)[0])
        answers = [await client.post("/v1/rollout/init", json=start) for client in (*clients, *clients)]
        await trainer.completed.wait()
        assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
        assert len(trainer.results) == 1

    play(scenario, Trainer())


def test_a_key_is_that_of_one_rollout_in_all_processes() -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        (one,), (other,) = names_of(0), names_of(1)
        statuses = [
            (await client.post("/v1/rollout/init", json=init(rollout_id=name, idempotency_key="k"))).status_code
            for client, name in ((clients[0], one), (clients[0], other), (clients[1], other), (clients[1], one))
        ]
        assert statuses == [202, 409, 409, 202]

    play(scenario, Trainer())


def test_a_key_of_a_rejected_start_is_free() -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        (one, two), (other,) = names_of(0, many=2), names_of(1)
        first = await clients[0].post("/v1/rollout/init", json=init(rollout_id=one))
        full = await clients[1].post("/v1/rollout/init", json=init(rollout_id=two, idempotency_key="k"))
        again = await clients[1].post("/v1/rollout/init", json=init(rollout_id=other, idempotency_key="k"))
        assert (first.status_code, full.status_code, again.status_code) == (202, 429, 429)

    play(scenario, Trainer([hang]), max_concurrent=1, max_queued=0, drain_s=0, farewell_s=0)


@pytest.mark.parametrize("owner", [0, 1])
def test_status_and_cancel_reach_the_process_that_runs_the_rollout(owner: int) -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        (name,) = names_of(owner)
        assert (await clients[0].post("/rollout", json=routed(rollout_id=name))).status_code == 202
        while not trainer.requests:
            await asyncio.sleep(0)
        shown = [(await client.get(f"/rollout/{name}/status")).json()["status"] for client in clients]
        assert shown == ["running", "running"]
        cancelled = await clients[1 - owner].post("/rollout/cancel", json={"ids": [name, "unknown"]})
        assert cancelled.json()["dispositions"] == {name: "cancelled_running", "unknown": "not_found"}
        assert [await ended(client, name) for client in clients] == ["cancelled", "cancelled"]

    play(scenario, Trainer([hang]))


def test_a_cancellation_of_all_reaches_all_processes() -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        names = [*names_of(0, many=2), *names_of(1, many=2)]
        for name in names:
            await clients[0].post("/rollout", json=routed(rollout_id=name))
        while len(trainer.requests) < 4:
            await asyncio.sleep(0)
        cancelled = await clients[1].post("/rollout/cancel", json={"all": True})
        assert cancelled.json()["dispositions"] == dict.fromkeys(names, "cancelled_running")

    play(scenario, Trainer([hang]))


def test_a_rollout_without_an_id_is_found_by_the_one_it_is_given() -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        for client in (*clients, *clients, *clients):
            name = (await client.post("/rollout", json=routed())).json()["rollout_id"]
            assert [await ended(one, name) for one in clients] == ["success", "success"]

    play(scenario, Trainer())


@pytest.mark.parametrize("owner", [0, 1])
def test_a_leased_result_is_fetched_from_any_process(owner: int) -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        (name,) = names_of(owner)
        token = (await clients[0].post("/rollout", json=leased(name))).json()["polling_lease_token"]
        again = await clients[1].post("/rollout", json=leased(name))
        assert again.status_code == 409
        for client in clients:
            body = {"status": "running"}
            while "sample" not in body:
                response = await client.get(f"/rollout/{name}/result", headers={LEASE_HEADER: token})
                assert response.status_code == 200, response.text
                body = response.json()
            assert body["status"] == "success"

    play(scenario, Trainer())


def test_limits_are_those_of_all_processes() -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        names = [*names_of(0, many=2), *names_of(1, many=2)]
        sent = [await clients[0].post("/v1/rollout/init", json=init(rollout_id=name)) for name in names]
        assert [answer.status_code for answer in sent] == [202, 202, 202, 429]
        assert sent[-1].headers["retry-after"] == "1"
        while len(trainer.asked) < 2:
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert len(trainer.asked) == 2  # the third waits for its turn
        shown = [(await client.get("/health")).json()["active_rollouts"] for client in clients]
        assert shown == [3, 3]

    play(scenario, Trainer([hang]), max_concurrent=2, max_queued=1, farewell_s=0)


def test_a_waiting_rollout_gets_the_slot_that_another_process_releases() -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        results = await asyncio.gather(
            *(clients[number % 2].post("/rollout", json=sync_start(rollout_id=str(number))) for number in range(8))
        )
        assert [result.json()["status"] for result in results] == ["COMPLETED"] * 8

    play(scenario, Trainer(), max_concurrent=1)


def test_metrics_and_health_are_those_of_all_processes() -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        for client in clients:
            await client.post("/rollout", json=sync_start())
        for client in clients:
            assert (await client.get("/health")).json()["completed_rollouts"] == 2
        page = (await clients[0].get("/metrics")).text.splitlines()
        assert 'rollouts_started_total{dialect="sync"} 2.0' in page
        assert 'http_requests_total{endpoint="/health",method="GET",status_code="200"} 2.0' in page
        assert 'rollout_duration_seconds_bucket{le="+Inf"} 2.0' in page

    play(scenario, Trainer())


@pytest.mark.parametrize(
    ("path", "content"), [("/rollout", b"{"), ("/rollout", b"[]"), ("/v1/rollout/init", b'{"rollout_id": 5}')]
)
def test_what_has_no_owner_is_rejected_as_ever(path: str, content: bytes) -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        answers = [await client.post(path, content=content) for client in clients]
        assert {answer.status_code for answer in answers} <= {400, 422}
        assert "detail" in json.loads(answers[0].content)

    play(scenario, Trainer())


def test_a_body_beyond_the_limit_and_a_wrong_key_are_rejected_by_the_first_process() -> None:
    async def scenario(clients: Clients, trainer: Trainer) -> None:
        headers = {"authorization": "Bearer key"}
        large = init(rollout_id=names_of(1)[0], metadata={"x": "y" * 2000})
        assert (await clients[0].post("/v1/rollout/init", json=large, headers=headers)).status_code == 413
        assert (await clients[0].post("/v1/rollout/init", json=init())).status_code == 401
        assert (await clients[0].post("/rollout/cancel", json={"all": True})).status_code == 401

    play(scenario, Trainer(), server_key="key", max_body_bytes=1000)
