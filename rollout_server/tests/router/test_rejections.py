"""Which requests are rejected, with which errors, and that no backend is contacted."""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import ADMIN, HI, KEY, PATH, Caller, body, error, play_with

GOOD = json.dumps(body()).encode()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer nobody"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": "Bearer"},
        {"x-api-key": "nobody", "authorization": f"Bearer {KEY}"},
        {"x-api-key": "kl\u00fc\u00e9".encode()},
        {"authorization": b"Bearer \xff\xfe\x80"},
        {"x-api-key": "gone"},
        {"x-api-key": KEY.upper()},
    ],
    ids=str,
)
@pytest.mark.parametrize("content", [GOOD, b"{", b"x" * 3000], ids=["good", "bad", "large"])
def test_no_valid_key(headers: dict[str, Any], content: bytes) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        response = await c.post(PATH, content=content, headers=headers)
        assert (response.status_code, error(response)["code"]) == (401, "invalid_api_key")
        assert response.headers["www-authenticate"] == "Bearer"
        assert not any(part in response.text for part in ("nobody", KEY, KEY.upper(), "gone"))
        assert fakes[0].calls == 0

    old = {"key": "gone", "expires_at": time.time() - 1}
    play_with(scenario, Fake("a"), body_limit=2000, keys=({"key": KEY}, old))


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bEARER   {KEY}"},
        {"x-api-key": KEY},
        {"x-api-key": KEY, "authorization": "Bearer nobody"},
    ],
)
def test_a_valid_key(headers: dict[str, str]) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.post(PATH, content=GOOD, headers=headers)).status_code == 200

    play_with(scenario, Fake("a"))


def test_a_key_of_characters_outside_ascii_is_a_key() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.post(PATH, content=GOOD, headers=[(b"x-api-key", "schlüssel".encode())])).status_code == 200

    play_with(scenario, Fake("a"), keys=({"key": "schlüssel"},))


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (b"", None),
        (b"{", None),
        (b'{"a": NaN}', None),
        (b'{"a": 1e999}', None),
        (b"\xff\xfe", None),
        (b"[" * 5000, None),
        (b"[]", None),
        (b"null", None),
        ({}, "model"),
        ({"model": "", "messages": HI}, "model"),
        ({"model": 3, "messages": HI}, "model"),
        ({"model": "toy"}, "messages"),
        ({"model": "toy", "messages": []}, "messages"),
        ({"model": "toy", "messages": "hi"}, "messages"),
        ({"model": "toy", "messages": [1]}, "messages"),
        (body(stream="yes"), "stream"),
        (body(stream=1), "stream"),
        (body(stream_options=3), "stream_options"),
    ],
)
def test_no_valid_body(content: Any, param: str | None) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        response = await c.post(PATH, content=raw, headers={"x-api-key": KEY})
        assert (response.status_code, error(response)["param"]) == (400, param)
        assert error(response)["type"] == "invalid_request_error"
        assert fakes[0].calls == 0

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize(
    ("prompt", "status"), [("", 400), ([], 400), (None, 400), ("a", 200), (["a", "b"], 200), ([1], 200)]
)
def test_a_prompt(prompt: Any, status: int) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        wanted = {"model": "toy", "prompt": prompt}
        response = await c.post("/v1/completions", json=wanted, headers={"x-api-key": KEY})
        assert response.status_code == status
        assert fakes[0].bodies == ([wanted] if status == 200 else [])

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
def test_the_exact_limit_of_a_body(more: int, status: int, chunked: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        raw = GOOD + b" " * (4096 - len(GOOD) + more)
        content: Any = slices(raw) if chunked else raw
        response = await c.post(PATH, content=content, headers={"x-api-key": KEY})
        assert response.status_code == status
        if more:
            assert error(response)["code"] == "body_too_large"

    play_with(scenario, Fake("a"), body_limit=4096)


async def slices(raw: bytes) -> Any:
    for at in range(0, len(raw), 1000):
        yield raw[at : at + 1000]


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        reader, writer = await asyncio.open_connection(c.base_url.host, c.base_url.port)
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Length: 9\r\n\r\n{{"
        writer.write(head.encode())
        assert (await reader.readline()).split()[1] == b"408"
        assert b"body_timeout" in await reader.read()
        writer.close()

    play_with(scenario, Fake("a"), body_timeout_s=0.05)


def test_an_unknown_model() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        response = await c.ask(model="nope")
        assert (response.status_code, error(response)["code"]) == (404, "model_not_found")
        assert error(response)["param"] == "model"
        assert "nope" not in response.text

    play_with(scenario)


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", PATH, 405, "POST"),
        ("POST", "/v1/models", 405, "GET, HEAD"),
        ("PATCH", "/v1/admin/keys", 405, "GET, HEAD, POST"),
        ("GET", "/nowhere", 404, None),
        ("POST", "/", 404, None),
    ],
)
def test_wrong_methods_and_paths(method: str, path: str, status: int, allow: str | None) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        response = await c.request(method, path)
        assert (response.status_code, response.headers.get("allow")) == (status, allow)
        error(response)

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize(("secret", "flip", "status"), [("s", False, 200), ("s", True, 401), (None, True, 200)])
def test_a_signature(secret: str | None, flip: bool, status: int) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        signed = GOOD[:-1] + b" }" if flip else GOOD
        signature = hmac.new(b"s", signed, hashlib.sha256).hexdigest()
        headers = {"x-api-key": KEY, "x-hmac-signature": signature}
        assert (await c.post(PATH, content=GOOD, headers=headers)).status_code == status
        if secret:
            junk = [(b"x-api-key", KEY.encode()), (b"x-hmac-signature", b"\xff\xfe")]
            assert (await c.post(PATH, content=GOOD, headers=junk)).status_code == 401

    play_with(scenario, Fake("a"), hmac_secret=secret)


def test_scopes() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        refused = [
            await c.ask(key=ADMIN),
            await c.get("/v1/admin/planner", headers={"x-api-key": KEY}),
            await c.post("/v1/admin/routing/backends/a/degrade", headers={"x-api-key": KEY}),
        ]
        assert [(r.status_code, error(r)["code"]) for r in refused] == [(403, "missing_scope")] * 3
        assert (await c.get("/v1/admin/planner")).status_code == 401

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize(("given", "echoed"), [("abc-1", True), ("x" * 129, False), ("a b", False)])
def test_request_ids(given: str, echoed: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for response in (
            await c.ask(headers={"x-request-id": given}),
            await c.get("/no", headers={"x-request-id": given}),
        ):
            assert (response.headers["x-request-id"] == given) is echoed
        assert (fakes[0].headers[0]["x-request-id"] == given) is echoed

    play_with(scenario, Fake("a"))


def test_an_internal_error_has_the_envelope(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        def broken(*_: Any) -> httpx.Response:
            raise RuntimeError("secret")

        monkeypatch.setattr(c.app_state.affinity, "find", broken)
        response = await c.ask()
        assert (response.status_code, error(response)["code"]) == (500, "internal_error")
        assert "secret" not in response.text
        assert c.app_state.running == 0

    play_with(scenario, Fake("a"))
