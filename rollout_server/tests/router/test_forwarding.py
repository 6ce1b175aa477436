"""Requests and responses are forwarded without loss or change."""

import json
from typing import Any

import pytest

from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import HI, KEY, Caller, play_with

RICH: dict[str, Any] = {
    "temperature": 0,
    "top_p": 0.0,
    "max_tokens": 0,
    "seed": 0,
    "n": 1,
    "stop": [],
    "logprobs": False,
    "user": "",
    "tools": None,
    "response_format": {"type": "json_object"},
    "big": 123456789012345678901234567890,
    "x_unknown": {"deep": [None, 0, -0.0, "\N{SNOWMAN}", "\ud800"]},
}


def test_one_request_end_to_end() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        response = await c.ask()
        assert response.status_code == 200, response.text
        assert response.json()["choices"][0]["message"]["content"] == "The capital of France is Paris."
        assert response.headers["x-routing-backend"] in ("a", "b")
        assert response.headers["x-routing-decision"] == "PRIMARY"
        assert response.headers["x-request-id"]
        assert sum(fake.calls for fake in fakes) == 1

    play_with(scenario)


def test_every_member_reaches_the_backend() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        sent = {"model": "toy", "messages": HI, **RICH}
        text = json.dumps(sent)
        response = await c.post("/v1/chat/completions", content=text, headers={"x-api-key": KEY})
        assert response.status_code == 200, response.text
        assert fakes[0].bodies == [json.loads(text)]

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize("answer", [b'{"a": 0, "b": null, "a": {"c": []}}', '{"usage": 3, "text": "é"}'.encode()])
def test_a_response_is_forwarded_byte_for_byte(answer: bytes) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].answer = answer
        assert (await c.ask()).content == answer

    play_with(scenario, Fake("a"))


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 429])
def test_a_client_error_of_a_backend_is_forwarded(status: int) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for fake in fakes:
            fake.status = status
        response = await c.ask()
        assert (response.status_code, response.json()["error"]["code"]) == (status, status)
        assert sum(fake.calls for fake in fakes) == 1

    play_with(scenario)
