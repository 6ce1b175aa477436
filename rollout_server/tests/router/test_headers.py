"""Headers: what a backend must not get, what a client gets, and bodies that match their headers."""

import gzip
from typing import Any

import pytest

from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import KEY, PATH, Caller, body, play_with

OF_ONE_CONNECTION = {
    "connection": "keep-alive, x-own",
    "x-own": "1",
    "keep-alive": "timeout=5",
    "te": "trailers",
    "proxy-authorization": "Basic YTpi",
}


def test_no_backend_gets_a_key() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.ask()).status_code == 200
        assert (await c.ask(key="", headers={"authorization": f"Bearer {KEY}"})).status_code == 200
        assert not any(KEY in value for headers in fakes[0].headers for value in headers.values())

    play_with(scenario, Fake("a"))


def test_headers_of_one_connection_stay_on_it() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.ask(headers=OF_ONE_CONNECTION)).status_code == 200
        assert {*fakes[0].headers[0]} & {"x-own", "keep-alive", "te", "proxy-authorization"} == set()

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize("packing", ["gzip", "identity"])
def test_content_encoding_matches_the_body(packing: str) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async with c.stream(
            "POST", PATH, json=body(), headers={"x-api-key": KEY, "accept-encoding": packing}
        ) as response:
            raw = b"".join([piece async for piece in response.aiter_raw()])
        plain = gzip.decompress(raw) if response.headers.get("content-encoding") == "gzip" else raw
        assert b'"model":"toy"' in plain

    play_with(scenario, Fake("a"))


def test_retry_after_is_forwarded() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].status, fakes[0].retry_after = 429, "7"
        assert (await c.ask()).headers["retry-after"] == "7"

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize(("method", "path", "status"), [("HEAD", "/health", 200), ("OPTIONS", PATH, 405)])
def test_methods_without_a_body(method: str, path: str, status: int) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        response = await c.request(method, path)
        assert response.status_code == status
        assert fakes[0].calls == 0

    play_with(scenario, Fake("a"))


def test_a_plain_completion_reaches_the_backend_whole() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        sent: dict[str, Any] = {"model": "toy", "prompt": "Once", "echo": False, "unknown": {"a": None}}
        assert (await c.post("/v1/completions", json=sent, headers={"x-api-key": KEY})).status_code == 200
        assert fakes[0].bodies == [sent]

    play_with(scenario, Fake("a"))
