"""Under load and at shutdown: slots are released, a slow client stops no other, and running requests finish."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from rollout_conformance.rollout_server.tests.router.backend import WORDS, Fake
from rollout_conformance.rollout_server.tests.router.support import (
    KEY,
    PATH,
    Caller,
    body,
    chunks,
    error,
    play_with,
    said,
    until,
)

BIG = ["x" * 65_536] * 1_000


@asynccontextmanager
async def unread(c: Caller) -> AsyncIterator[httpx.Response]:
    async with c.stream("POST", PATH, json=body(stream=True), headers={"x-api-key": KEY}) as response:
        yield response


async def still(fake: Fake) -> int:
    """How many words the backend got rid of, once it gets rid of no more."""
    seen = -1
    while fake.sent != seen or not seen:
        seen = fake.sent
        await asyncio.sleep(0.05)
    return seen


def test_a_failure_of_all_backends_releases_the_slot() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].status = 500
        assert error(await c.ask())["code"] == "backend_error"
        assert c.app_state.running == 0

    play_with(scenario, Fake("a"))


def test_a_slow_client_stops_its_backend_and_no_other_request() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async with unread(c):
            assert await still(fakes[0]) < len(BIG)
            fakes[0].words = list(WORDS)
            assert said(chunks((await c.ask(stream=True)).text)) == "".join(WORDS)

    play_with(scenario, Fake("a", words=BIG))


def test_an_answer_without_an_end_is_given_up() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        response = await c.ask()
        assert (response.status_code, error(response)["code"]) == (502, "backend_error")

    play_with(scenario, Fake("a", words=BIG[:1]), reply_limit=1_000)


def test_running_requests_finish_at_shutdown() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        asking = asyncio.create_task(c.ask(stream=True))
        await until(lambda: fakes[0].sent > 1)
        c.app_state.stop()
        assert said(chunks((await asking).text)) == "".join(WORDS)
        assert error(await c.ask())["code"] == "shutting_down"

    play_with(scenario, Fake("a", pause_s=0.02))


def test_numbers_count_and_name_nothing() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for _ in range(3):
            await c.ask()
        await c.ask(model="never-heard-of")
        await c.get("/v1/never-heard-of")
        page = (await c.get("/metrics")).text
        assert f'router_requests_total{{endpoint="{PATH}",status="200"}} 3.0' in page
        assert f'router_requests_total{{endpoint="{PATH}",status="404"}} 1.0' in page
        assert "never-heard-of" not in page
        assert KEY not in page

    play_with(scenario, Fake("a"))


def test_a_weight_of_zero_gets_no_requests() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for _ in range(20):
            await c.ask()
        assert [fake.calls for fake in fakes] == [0, 20]

    play_with(scenario, weights=[0, 1])


def test_the_preferred_backend_may_fail() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        first = (await c.ask()).headers["x-routing-backend"]
        next(fake for fake in fakes if fake.name == first).status = 500
        assert (await c.ask()).status_code == 200

    play_with(scenario, affinity=True)


def test_a_recovered_backend_is_used_again() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for well, status in ((False, 503), (True, 200)):
            fakes[0].well = well
            while (await c.get("/v1/status/readyz")).status_code != status:
                await asyncio.sleep(0.005)

    play_with(scenario, Fake("a"), health_interval_s=0.02)


def test_a_key_of_an_operator_generates_nothing() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        made = await c.admin("POST", "/keys", json={"org": "new", "scopes": ["admin"]})
        refused = await c.ask(key=made.json()["key"])
        assert (refused.status_code, error(refused)["code"]) == (403, "missing_scope")

    play_with(scenario, Fake("a"))
