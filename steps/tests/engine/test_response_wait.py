"""How long a response is waited for: a target that generates by itself, and one whose backends the suite plays. Time is virtual."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.engine.session import AFTER_SILENCE, MOST_PATIENCE, Session
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.http.waiting import repeat_until
from rollout_conformance.steps.sse.streams import PATIENCE, Reading, read_stream
from rollout_conformance.steps.tests import virtual_time

PATIENCE_S, SETTLE_S = 2.0, 0.5
START = Request("POST", "/v1/chat/completions", (), b"{}")
EVENT = b"data: {}\n\n"


async def silent(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


def stays_open(*pauses_s: float, piece: bytes = EVENT) -> Callable[[httpx.Request], httpx.Response]:
    """Sends a piece after each pause, and then nothing more."""

    async def pieces() -> AsyncIterator[bytes]:
        for pause_s in pauses_s:
            await asyncio.sleep(pause_s)
            yield piece
        await asyncio.Event().wait()

    return lambda request: httpx.Response(200, content=pieces())


def session(handler: Callable[..., object] = silent) -> Session:
    client = http_client.client(transport=httpx.MockTransport(handler))  # type: ignore[arg-type]
    return Session("http://target", client, Trace(), PATIENCE_S, SETTLE_S)


def backend_acts(one: Session, *times: float) -> None:
    """A backend gets a request at the first time, and has sent its response at the last."""
    loop, trace = asyncio.get_running_loop(), one.trace
    loop.call_later(times[0], trace.forwarded, "a", START)
    for when in times[1:-1]:
        loop.call_later(when, trace.sent_on, 0, 10)
    loop.call_later(times[-1], trace.answered, 0, Response(500))


@pytest.mark.parametrize(
    ("times", "ended"),
    [
        ((1.0, 1.5), 1.5 + PATIENCE_S),
        ((0.0, 1.9, 3.8, 5.7), 5.7 + PATIENCE_S),
        ((11.0, 11.5), PATIENCE_S * MOST_PATIENCE),  # a queue in front of the backends is a right that it has
    ],
)
def test_a_response_is_waited_for_after_the_last_activity_of_a_backend(times: tuple[float, ...], ended: float) -> None:
    async def play() -> str | None:
        one = session()
        backend_acts(one, *times)
        await one.send(START)
        assert virtual_time.now() == pytest.approx(ended)
        assert one.trace.at_backends == []
        return one.trace.exchanges[0].fault

    most = ended == PATIENCE_S * MOST_PATIENCE
    told = "12 s" if most else "2 s of the last activity of a backend"
    assert virtual_time.run(play()) == f"no answer within {told}"


@pytest.mark.parametrize(
    ("pauses_s", "while_it_sends", "ended", "fault"),
    [
        ((), False, 8.0, "no end within 8 s"),
        ((1.0, 3.0), False, 8.0, "no end within 8 s"),
        ((), True, 8.0, "no end within 8 s of the last event"),
        ((1.0, 3.0), True, 12.0, "no end within 8 s of the last event"),
        ((1.0,) * 100, True, 60.0, "still sending after 60 s"),
    ],
)
def test_a_stream_without_backends_has_the_whole_time(
    pauses_s: tuple[float, ...], while_it_sends: bool, ended: float, fault: str
) -> None:
    async def play() -> str | None:
        read = Reading(200)
        await read_stream(session(stays_open(*pauses_s)), START, read, while_it_sends=while_it_sends)
        assert virtual_time.now() == pytest.approx(ended)
        return read.fault

    assert PATIENCE_S * PATIENCE == 8.0
    assert virtual_time.run(play()) == fault


@pytest.mark.parametrize(
    ("pauses_s", "piece", "ended"),
    [
        ((), EVENT, 3.0),
        ((1.5, 1.5), EVENT, 5.0),  # events that come late come all the same
        ((1.5, 1.5), b": ping\n\n", 3.0),  # and a comment is none
    ],
)
def test_a_stream_stays_open_when_nothing_comes_after_the_end_of_its_backend(
    pauses_s: tuple[float, ...], piece: bytes, ended: float
) -> None:
    async def play() -> str | None:
        one, read = session(stays_open(*pauses_s, piece=piece)), Reading(100)
        backend_acts(one, 0.5, 1.0)
        await read_stream(one, START, read)
        assert virtual_time.now() == pytest.approx(ended)
        return read.fault

    assert virtual_time.run(play()) == "no end within 2 s of the last event"


def test_after_a_request_without_a_response_the_others_of_a_case_are_not_waited_for_as_long() -> None:
    async def play() -> list[float]:
        one, spent = session(), []
        for _ in range(2):
            began = virtual_time.now()
            await one.send(START)
            spent.append(virtual_time.now() - began)
        began = virtual_time.now()
        assert not await repeat_until(one, lambda: asyncio.sleep(0.1, False), for_s=10.0, every_s=0.1)
        return [*spent, virtual_time.now() - began]

    most_s = PATIENCE_S * MOST_PATIENCE
    assert virtual_time.run(play()) == pytest.approx([most_s, most_s * AFTER_SILENCE, 10.0 * AFTER_SILENCE], abs=0.3)


def test_a_case_that_waited_in_vain_is_not_listened_to_any_more() -> None:
    async def play() -> list[float]:
        one, spent = session(), []
        for wait in (lambda: one.settle(), lambda: one.send(START), lambda: one.settle(), lambda: one.settle(0.25)):
            began = virtual_time.now()
            await wait()
            spent.append(virtual_time.now() - began)
        return spent

    assert virtual_time.run(play()) == pytest.approx([SETTLE_S, PATIENCE_S * MOST_PATIENCE, 0.0, 0.25])
