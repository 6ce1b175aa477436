"""Which requests are rejected, in vLLM's envelope, and which are accepted."""

from typing import Any

import pytest

from rollout_conformance.rollout_server.common.settings import SettingsError
from rollout_conformance.rollout_server.inference.settings import Settings, load
from rollout_conformance.rollout_server.tests.inference.support import CAPITAL, PATH, TOOLS, client, play

JSON = {"content-type": "application/json"}
NOT_A_SCHEMA = {"function": {"name": "f", "parameters": {"properties": 5}}}


def held_to(schema: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"model": "nope"}, 404, "The model `nope` does not exist"),
        ({"temperature": -1}, 400, "temperature must be non-negative"),
        ({"temperature": "hot"}, 400, "body.temperature"),
        ({"top_p": 0}, 400, "top_p must be in"),
        ({"max_tokens": 0}, 400, "max_tokens must be at least 1"),
        ({"max_tokens": 5000}, 400, "cannot be greater than max_model_len=128"),
        ({"max_tokens": 120}, 400, "maximum context length is 128 tokens"),
        ({"max_completion_tokens": 0}, 400, "max_completion_tokens must be at least 1"),
        ({"n": 2, "temperature": 0}, 400, "n must be 1 when using greedy sampling, got 2."),
        ({"n": 0}, 400, "n must be at least 1"),
        ({"top_logprobs": 3}, 400, "`logprobs` must be set"),
        ({"top_logprobs": 21, "logprobs": True}, 400, "between 0 and 20"),
        ({"stream_options": {"include_usage": True}}, 400, "`stream=True`"),
        ({"tools": []}, 400, "must not be an empty list"),
        ({"tool_choice": "required"}, 400, "`tools` must be set"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "x"}}}, 400, "does not match"),
        ({"messages": [{"role": "user", "content": "word " * 200}]}, 400, "maximum context length is 128 tokens"),
        ({"messages": [{"content": "no role"}]}, 400, "a role"),
        ({"messages": [{"role": "user", "content": ["text"]}]}, 400, "a list of parts"),
        ({"messages": "hi"}, 400, "body.messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "body.messages.0.content"),
        ({"temperature": 2.5}, 400, "temperature must be in [0, 2]"),
        ({"n": 129}, 400, "n must be at most 128"),
        ({"max_tokens": "12"}, 400, "body.max_tokens"),
        ({"stream": 1}, 400, "body.stream: must be a boolean"),
        ({"stop": ["a", "b", "c", "d", "e"]}, 400, "body.stop"),
        (held_to({"anyOf": [5]}), 400, "is not a JSON Schema"),
        (held_to({"$ref": "#"}), 400, "fits into a reply"),
        (held_to({"type": "array", "minItems": 10**9}), 400, "fits into a reply"),
        ({"tools": [NOT_A_SCHEMA], "tool_choice": "required"}, 400, "not a JSON Schema"),
    ],
    ids=str,
)
def test_rejected_requests(change: dict[str, Any], status: int, said: str) -> None:
    async def scenario() -> None:
        async with client(max_model_len=128) as c:
            response = await c.post(PATH, json={"model": "toy", "messages": CAPITAL} | change)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (status, status)
        assert said in error["message"]
        assert set(error) == {"message", "type", "param", "code"}

    play(scenario)


@pytest.mark.parametrize(
    "change",
    [{"model": None}, {"unheard_of": 1}, {"messages": [{"role": "oracle"}]}, {"n": None, "stop": None}],
    ids=str,
)
def test_requests_that_are_not(change: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with client() as c:
            assert (await c.post(PATH, json={"messages": CAPITAL} | change)).status_code == 200

    play(scenario)


def test_malformed_requests() -> None:
    async def scenario() -> None:
        async with client() as c:
            answers = [
                await c.post(PATH, content=b'{"messages": [', headers=JSON),
                await c.post(PATH, content=b"[]", headers=JSON),
                await c.post(PATH, content=b"{}", headers={"content-type": "text/plain"}),
                await c.get("/v1/nothing"),
                await c.get(PATH),
            ]
        assert [a.status_code for a in answers] == [400, 400, 400, 404, 405]
        assert all(a.json()["error"]["message"] for a in answers)

    play(scenario)


def test_the_key_protects_paths_below_v1() -> None:
    async def scenario() -> None:
        async with client(key="secret") as c:
            free = [await c.get(path) for path in ("/health", "/version", "/metrics")]
            wrong = await c.post(PATH, json={"messages": CAPITAL}, headers={"authorization": "Bearer other"})
            none = await c.get("/v1/models")
            right = await c.post(PATH, json={"messages": CAPITAL}, headers={"authorization": "Bearer secret"})
        assert [r.status_code for r in free] == [200] * 3
        assert free[0].content == b""
        assert [r.status_code for r in (wrong, none, right)] == [401, 401, 200]
        assert wrong.json()["error"]["code"] == 401

    play(scenario)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_MODEL", "other")
    monkeypatch.setenv("ENGINE_TOKEN_DELAY_S", "0.5")
    assert (load().model, load().token_delay_s) == ("other", 0.5)
    monkeypatch.setenv("ENGINE_MAX_MODEL_LEN", "0")
    with pytest.raises(SettingsError, match=r"^ENGINE_MAX_MODEL_LEN: "):
        load()


def test_a_directory_without_a_tokenizer_is_rejected(tmp_path: Any) -> None:
    from rollout_conformance.rollout_server.inference import service

    with pytest.raises(SettingsError, match=r"^ENGINE_TOKENIZER: no usable tokenizer"):
        service.create(Settings(tokenizer=tmp_path))
