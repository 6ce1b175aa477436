"""What a recorder hears of an exchange, and when."""

import asyncio
from typing import Any

import httpx
import pytest

from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.peers.reverse_proxy import Passed, ReverseProxy, Route

BODY = b'{"id": "c"}'


class Kept:
    """A recorder of everything, that forwards to one place."""

    def __init__(self) -> None:
        self.passed: list[Passed] = []

    def route(self, request: Request) -> Route:
        return Route("http://target/", request.body, self.passed.append)


@pytest.mark.parametrize("length", [{"content-length": str(len(BODY))}, {}], ids=["counted", "in chunks"])
def test_an_exchange_has_ended_before_its_client_has_all_of_it(length: dict[str, str]) -> None:
    """The client may end the recording as soon as it has its response."""
    kept, heard = Kept(), list[tuple[bytes, int]]()

    def target(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, headers={"content-type": "application/json", **length}, stream=Pieces())

    async def receive() -> dict[str, Any]:
        if heard or sent:
            await asyncio.Event().wait()
        sent.append(True)
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            heard.append((message["body"], len(kept.passed)))

    async def play() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(target)) as http:
            scope = {
                "type": "http",
                "method": "POST",
                "path": "/",
                "raw_path": b"/",
                "headers": [],
                "query_string": b"",
                "scheme": "http",
            }
            await ReverseProxy(kept, http, 5.0)(scope, receive, send)

    sent: list[bool] = []
    asyncio.run(play())
    assert [one.status for one in kept.passed] == [404]
    whole = [known for body, known in heard if body == BODY]
    last = heard[-1][1]
    assert (whole == [1]) if length else (last == 1)


class Pieces(httpx.AsyncByteStream):
    async def __aiter__(self) -> Any:
        yield BODY
