"""One case in flight: what is sent, what is waited for and until when. Time is virtual."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.session import MOST_PATIENCE, LastActivity, Session, WaitTimeout
from rollout_conformance.steps.engine.trace import Request, Trace
from rollout_conformance.steps.tests import virtual_time

PATIENCE_S, SETTLE_S = 2.0, 0.5
START = Request("POST", "/rollout", (("x-id", "7"),), b"{}")
Handler = Callable[[httpx.Request], Any]


def accepted(request: httpx.Request) -> httpx.Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"o"
        yield b"k"

    return httpx.Response(202, headers={"x-seen": request.headers["x-id"]}, content=body())


async def silent(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


def refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Connection refused")


def session(handler: Handler = accepted, **members: Any) -> Session:
    client = http_client.client(transport=httpx.MockTransport(handler))
    return Session("http://target", client, Trace(), PATIENCE_S, SETTLE_S, **members)


def at(when: float, what: Callable[[], Any]) -> None:
    asyncio.get_running_loop().call_later(when, what)


def test_a_request_and_its_response_are_in_the_trace_with_the_event_that_the_sending_is() -> None:
    async def play() -> None:
        one = session()
        n = await one.send(START, "r1", sent="StartSent")
        (exchange,) = one.trace.exchanges
        assert exchange.response is not None
        assert (n, exchange.to_target, exchange.rollout, exchange.request) == (0, True, "r1", START)
        assert (exchange.response.status, exchange.response.body, exchange.fault) == (202, b"ok", None)
        assert exchange.response.header("x-seen") == "7"
        assert [(e.name, e.role, e.rollout, e.exchange) for e in one.trace.events] == [("StartSent", "client", "r1", 0)]
        assert one.last_activity.answers == 1

    virtual_time.run(play())


@pytest.mark.parametrize(("deadline_s", "ended"), [(None, PATIENCE_S * MOST_PATIENCE), (3.0, 3.0)])
def test_a_response_is_waited_for_until_the_deadline(deadline_s: float | None, ended: float) -> None:
    async def play() -> None:
        one = session(silent)
        await one.send(START, deadline_s=deadline_s)
        assert virtual_time.now() == ended
        assert one.trace.exchanges[0].fault == f"no answer within {ended:g} s"
        assert one.last_activity.answers == 0

    virtual_time.run(play())


def test_a_connection_that_fails_is_the_fault_of_the_exchange() -> None:
    async def play() -> None:
        one = session(refused)
        await one.send(START)
        assert one.trace.exchanges[0].fault == "Connection refused"

    virtual_time.run(play())


def test_a_request_that_is_cancelled_says_that_the_suite_gave_it_up() -> None:
    async def play() -> None:
        one = session(silent)
        task = one.spawn(one.send(START))
        await asyncio.sleep(1)
        await one.close()
        assert task.cancelled()
        assert one.trace.exchanges[0].fault == "given up by the suite"

    virtual_time.run(play())


def test_a_wait_ends_with_the_event() -> None:
    async def play() -> None:
        one = session()
        at(1.5, lambda: one.trace.event("r1", "server", "Completed", 0))
        await one.until(lambda: bool(one.trace.events), "the end of the rollout")
        assert virtual_time.now() == 1.5
        assert one.trace.listeners == []

    virtual_time.run(play())


def test_what_has_happened_already_is_not_waited_for() -> None:
    async def play() -> None:
        await session().until(lambda: True, "nothing")
        assert virtual_time.now() == 0

    virtual_time.run(play())


async def timed_out(one: Session) -> float:
    """When a wait for something that never happens ends."""
    with pytest.raises(WaitTimeout, match="the end of the rollout"):
        await one.until(lambda: False, "the end of the rollout")
    assert one.trace.listeners == []
    return virtual_time.now()


def test_a_target_that_does_nothing_is_waited_for_as_long_as_its_patience() -> None:
    async def play() -> None:
        assert await timed_out(session()) == PATIENCE_S

    virtual_time.run(play())


def test_every_event_of_the_case_makes_the_wait_longer() -> None:
    async def play() -> None:
        one = session()
        at(1.5, lambda: one.trace.event("r1", "server", "Requested", 0))
        assert await timed_out(one) == 1.5 + PATIENCE_S

    virtual_time.run(play())


def test_activity_of_the_target_in_another_case_makes_it_longer_too() -> None:
    async def play() -> None:
        activity = LastActivity()
        other = session(last_activity=activity)
        at(1.9, other.touch)
        assert await timed_out(session(last_activity=activity)) == 1.9 + PATIENCE_S

    virtual_time.run(play())


def test_a_target_that_is_busy_with_others_is_waited_for_no_longer_than_six_times() -> None:
    async def play() -> None:
        one = session()
        for n in range(100):
            at(float(n), one.touch)
        assert await timed_out(one) == PATIENCE_S * MOST_PATIENCE

    virtual_time.run(play())


def test_the_lateness_of_the_suite_is_added() -> None:
    async def play() -> None:
        assert await timed_out(session(late=lambda since: 5.0)) == PATIENCE_S + 5.0

    virtual_time.run(play())


def test_a_case_listens_until_nothing_has_happened_for_a_while() -> None:
    async def play() -> None:
        one = session()
        at(0.4, lambda: one.trace.event("r1", "server", "Late", 0))
        await one.settle()
        assert virtual_time.now() == 0.4 + SETTLE_S

    virtual_time.run(play())


def test_a_target_that_never_stops_is_listened_to_no_longer_than_its_patience() -> None:
    async def play() -> None:
        one = session()
        for n in range(100):
            at(n / 10, lambda: one.trace.event("r1", "server", "Late", 0))
        await one.settle()
        assert virtual_time.now() == PATIENCE_S

    virtual_time.run(play())


def test_the_end_of_a_case_releases_what_is_held() -> None:
    async def play() -> None:
        one = session()
        waiting = one.spawn(one.hold("reply").wait())
        await asyncio.sleep(0)
        await one.close()
        assert one.hold("reply").is_set()
        assert waiting.done()

    virtual_time.run(play())


def test_a_fault_of_the_suite_in_the_background_is_raised_at_the_end() -> None:
    async def broken() -> None:
        raise SuiteError("the script has no reply left")

    async def play() -> None:
        one = session()
        one.spawn(broken())
        await asyncio.sleep(0)
        with pytest.raises(SuiteError, match="no reply left"):
            await one.close()

    virtual_time.run(play())
