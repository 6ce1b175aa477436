"""The OpenAI-compatible backend: its requests, the reading of its responses, and no invented values."""

import json
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.tests.rollout.support import Caller
from rollout_conformance.rollout_server.tests.trainer.support import (
    CHAT_TOKENS,
    ID,
    TOOLS,
    USER,
    Bench,
    RolloutServer,
    play,
)
from rollout_conformance.rollout_server.trainer.app import create_app
from rollout_conformance.rollout_server.trainer.settings import Settings

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 5, "b": 3}'}}
CALLING = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [CALL]}
SAYING = {"role": "assistant", "content": "Eight.", "tool_calls": None}


class Vllm:
    """Renders and encodes like the real one, and returns what it sampled."""

    def __init__(self, *said: Any) -> None:
        self.said = [*said]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        effect = self.said.pop(0)
        if isinstance(effect, Exception):
            raise effect
        if isinstance(effect, httpx.Response):
            return effect
        asked = json.loads(request.content)
        return httpx.Response(200, json=completion(effect, asked["messages"]))


def completion(message: dict[str, Any], messages: list[Any]) -> dict[str, Any]:
    opening = CHAT_TOKENS.render(messages, TOOLS)
    whole = CHAT_TOKENS.render([*messages, message], TOOLS, generation=False)
    ids = CHAT_TOKENS.encode(whole[len(opening) :].removesuffix("\n"))
    return {
        "id": "chatcmpl-7",
        "object": "chat.completion",
        "created": 1,
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
                "logprobs": {"content": [{"token": "x", "logprob": -0.5, "top_logprobs": []} for _ in ids]},
                "token_ids": ids,
            }
        ],
        "prompt_token_ids": CHAT_TOKENS.encode(opening),
    }


def bench(vllm: Vllm, dialect: str = "sync", **settings: Any) -> Bench:
    server = RolloutServer()

    async def carry(request: httpx.Request) -> httpx.Response:
        return vllm(request) if request.url.host == "vllm.test" else await server(request)

    values: dict[str, Any] = {"log_level": "off", "backend_url": "http://vllm.test/v1", "model": "policy"}
    app = create_app(settings=Settings(**(values | settings)), transport=httpx.MockTransport(carry))
    return Bench(Caller(app), server, dialect)


@pytest.mark.parametrize("dialect", ["sync", "callback"])
def test_a_rollout_with_a_backend(dialect: str) -> None:
    async def scenario() -> None:
        vllm = Vllm(CALLING, SAYING)
        b = bench(vllm, dialect, backend_key="backend-key")
        await b.open()
        response = await b.ask([USER], temperature=0.25, seed=7)
        body = response.json()
        message = body["choices"][0]["message"]
        assert message == {"role": "assistant", "content": None, "tool_calls": [CALL]}
        if dialect == "sync":
            assert body["prompt_token_ids"] == CHAT_TOKENS.encode(CHAT_TOKENS.render([USER], TOOLS))
            assert body["logprobs"] == [-0.5] * len(body["token_ids"])
        messages = [USER, message, {"role": "tool", "content": "8", "tool_call_id": "call_1"}]
        assert (await b.said(messages, b.mask(messages)))["content"] == "Eight."
        record = await b.record()
        assert record["drift"] is None
        assert record["token_ids"] == CHAT_TOKENS.encode(CHAT_TOKENS.decode(record["token_ids"]))
        request = vllm.requests[0]
        assert str(request.url) == "http://vllm.test/v1/chat/completions"
        assert request.headers["authorization"] == "Bearer backend-key"
        assert json.loads(request.content) == {
            "model": "policy",
            "messages": [USER],
            "tools": TOOLS,
            "temperature": 0.25,
            "top_p": 0.9,
            "max_tokens": 512,
            "seed": 7,
            "logprobs": True,
            "return_token_ids": True,
        }

    play(scenario)


def test_a_backend_that_renders_the_history_differently_is_a_drift() -> None:
    async def scenario() -> None:
        spaced = {"role": "assistant", "content": "Wait.  ", "tool_calls": [CALL]}
        vllm = Vllm()
        b = bench(vllm, "callback")
        await b.open()
        one = completion(spaced, [USER])
        one["choices"][0]["message"] = {**spaced, "content": "Wait."}  # the parser took the spaces away
        vllm.said = [httpx.Response(200, json=one), SAYING]
        message = await b.said([USER])
        await b.said([USER, message, {"role": "tool", "content": "8", "tool_call_id": "call_1"}])
        record = await b.record()
        assert record["drift"]["turn"] == 2
        assert record["token_ids"][record["drift"]["position"]] == record["drift"]["expected"]
        sampled = [id for id, bit in zip(record["token_ids"], record["response_mask"], strict=True) if bit]
        assert sampled == [id for turn in record["turns"] for id in turn["token_ids"]]

    play(scenario)


def test_ids_of_calls_that_a_backend_uses_twice_are_made_unique() -> None:
    async def scenario() -> None:
        b = bench(Vllm(CALLING, {**CALLING, "tool_calls": [CALL, CALL]}), "callback")
        await b.open()
        first = await b.said([USER])
        messages = [USER, first, {"role": "tool", "content": "8", "tool_call_id": "call_1"}]
        second = await b.said(messages)
        assert len({call["id"] for m in (first, second) for call in m["tool_calls"]}) == 3

    play(scenario)


def without(*path: Any) -> httpx.Response:
    body = completion(SAYING, [USER])
    holder: Any = body
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = None
    return httpx.Response(200, json=body)


FAILURES: dict[str, tuple[Any, int, str]] = {
    "no ids": (without("choices", 0, "token_ids"), 502, "return_token_ids"),
    "no prompt ids": (without("prompt_token_ids"), 502, "return_token_ids"),
    "no logprobs": (without("choices", 0, "logprobs"), 502, "--max-logprobs"),
    "no choices": (httpx.Response(200, json={"choices": []}), 502, "no assistant message"),
    "no JSON": (httpx.Response(200, content=b"<html>secret</html>"), 502, "not a chat completion"),
    "400": (httpx.Response(400, json={"error": "secret"}), 502, "HTTP 400"),
    "500": (httpx.Response(500, json={"error": "secret"}), 502, "HTTP 500"),
    "busy": (httpx.Response(503), 503, "HTTP 503"),
    "full": (httpx.Response(429), 503, "HTTP 429"),
    "down": (httpx.ConnectError("secret"), 503, "cannot be reached"),
    "slow": (TimeoutError("secret"), 504, "in time"),
}


@pytest.mark.parametrize(("effect", "status", "said"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_is_reported_and_nothing_is_recorded(effect: Any, status: int, said: str) -> None:
    async def scenario() -> None:
        b = bench(Vllm(effect, SAYING))
        await b.open()
        response = await b.ask([USER])
        assert response.status_code == status
        assert said in response.json()["error"]["message"]
        assert response.json()["error"]["type"] == "server_error"
        assert "secret" not in response.text
        assert (await b.record())["turns"] == []
        assert (await b.said([USER]))["content"] == "Eight."  # the same call again is a new try

    play(scenario)


def test_the_id_of_the_rollout_is_the_trainers_own() -> None:
    async def scenario() -> None:
        b = bench(Vllm(SAYING))
        await b.open()
        body = (await b.ask([USER])).json()
        assert body["id"] != "chatcmpl-7"
        assert ID in (await b.record())["rollout_id"]

    play(scenario)
