"""Invalid replies of the trainer, by kind."""

import asyncio
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.tests.rollout.support import Effect, Trainer, call, hang, reply, serve

GOOD = reply()


def choice(**message: Any) -> dict[str, Any]:
    return reply(choices=[{"message": {"role": "assistant"} | message}])


def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in GOOD.items() if k != key}


def text(content: bytes, content_type: str = "application/json", status: int = 200) -> httpx.Response:
    return httpx.Response(status, headers={"content-type": content_type}, content=content)


TOO_LARGE = (
    b'{"choices":[{"message":{"role":"assistant","x":1e999}}],"token_ids":[],"logprobs":[],"prompt_token_ids":[]}'
)
BOTH: list[tuple[str, Effect, str]] = [
    ("not JSON", text(b"<html>"), "invalid_reply"),
    ("cut JSON", text(b'{"choices": [{'), "invalid_reply"),
    ("not an object", text(b"[1]"), "invalid_reply"),
    ("empty", text(b""), "invalid_reply"),
    ("not UTF-8", text(b'"\xff"'), "invalid_reply"),
    ("nested absurdly", text(b"[" * 100_000), "invalid_reply"),
    ("HTML by its type", text(b"{}", "text/html"), "invalid_reply"),
    ("too long", text(b" " * 2001), "invalid_reply"),
    ("no choices", without("choices"), "invalid_reply"),
    ("choices is null", reply(choices=None), "invalid_reply"),
    ("no choice", reply(choices=[]), "invalid_reply"),
    ("no message", reply(choices=[{"finish_reason": "stop"}]), "invalid_reply"),
    ("a user speaks", choice(role="user"), "invalid_reply"),
    ("nobody speaks", reply(choices=[{"message": {"content": "x"}}]), "invalid_reply"),
    ("content is a number", choice(content=5), "invalid_reply"),
    ("a call without id", choice(tool_calls=[{"type": "function", "function": {"name": "add", "arguments": "{}"}}]), "invalid_reply"),
    ("a call with an empty id", choice(tool_calls=[call(id="")]), "invalid_reply"),
    ("a call with a long name", choice(tool_calls=[call("x" * 257)]), "invalid_reply"),
    ("a call without arguments", choice(tool_calls=[call(arguments=None)]), "invalid_reply"),
    ("a number out of range", text(TOO_LARGE), "invalid_reply"),
    ("usage is a text", reply(usage="much"), "invalid_reply"),
    ("429", httpx.Response(429), "rate_limited"),
    ("500", httpx.Response(500), "trainer_server_error"),
    ("503", httpx.Response(503), "trainer_server_error"),
    ("404", httpx.Response(404), "trainer_client_error"),
    ("307", httpx.Response(307, headers={"location": "http://elsewhere.test/"}), "trainer_error"),
    ("201", httpx.Response(201, json=GOOD), "trainer_error"),
    ("204", httpx.Response(204), "trainer_error"),
    ("refused", httpx.ConnectError("[Errno 111] /usr/lib"), "network_error"),
    ("reset", httpx.ReadError("reset"), "network_error"),
    ("silence", hang, "timeout"),
]  # fmt: skip
ONLY_SYNC: list[tuple[str, Effect, str]] = [
    ("no token_ids", without("token_ids"), "invalid_reply"),
    ("no logprobs", without("logprobs"), "invalid_reply"),
    ("prompt_token_ids is null", reply(prompt_token_ids=None), "invalid_reply"),
    ("token_ids are texts", reply(token_ids=["1"], logprobs=[0]), "invalid_reply"),
    ("a logprob is null", reply(token_ids=[1], logprobs=[None]), "invalid_reply"),
    ("one logprob too few", reply(logprobs=[-0.5] * 3), "invalid_reply"),
]
ROWS = [("sync", *row) for row in BOTH + ONLY_SYNC] + [("callback", *row) for row in BOTH]


@pytest.mark.parametrize(
    ("dialect", "effect", "category"), [(r[0], r[2], r[3]) for r in ROWS], ids=[f"{r[0]}: {r[1]}" for r in ROWS]
)
def test_bad_reply(dialect: str, effect: Effect, category: str) -> None:
    trainer = Trainer([reply("", call()), effect])
    caller = serve(trainer, generation_timeout_s=0.05, generation_retries=1, max_reply_bytes=2000)
    result = asyncio.run(caller.sync() if dialect == "sync" else caller.callback(trainer))
    assert result["status"] == "ERROR"
    assert result["finish_reason"] == "error"
    assert result["extra_fields"]["error_category"] == category
    assert [m["role"] for m in result["final_messages"]] == ["user", "assistant", "tool"]
    assert result["metrics"]["num_llm_calls"] == 1
    reason = result["error_message"]
    assert reason
    assert not any(word in reason for word in ("Traceback", "pydantic", "Errno", "/usr", "object has", "function-"))


def test_a_status_is_reported() -> None:
    result = asyncio.run(serve(Trainer([httpx.Response(404)])).sync())
    assert result["error_message"] == "Trainer HTTP error: 404 (the trainer refused the request)"
    assert result["extra_fields"]["http_status"] == 404


@pytest.mark.parametrize(
    "more",
    [{"usage": None}, {"usage": {}}, {"unknown": {"x": None}}, {"object": "x"}, {"id": None}],
)
def test_harmless_freedoms(more: dict[str, Any]) -> None:
    sync, callback = Trainer([reply(**more)]), Trainer([reply(**more)])
    assert asyncio.run(serve(sync).sync())["status"] == "COMPLETED"
    assert asyncio.run(serve(callback).callback(callback))["status"] == "COMPLETED"


def test_the_callback_dialect_does_without_tokens() -> None:
    bare = {"choices": [{"message": {"role": "assistant", "content": "x"}}]}
    trainer = Trainer([lambda _: httpx.Response(200, json=bare)])
    assert asyncio.run(serve(trainer).callback(trainer))["status"] == "COMPLETED"
