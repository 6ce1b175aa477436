"""Which start requests are accepted and which are rejected, without a request to the trainer."""

import asyncio
from enum import Enum
from typing import Any

import pytest

from rollout_conformance.contracts.rollout import wire
from rollout_conformance.rollout_server.tests.rollout.support import USER, Trainer, init, serve, sync_start


class Absent(Enum):
    """A member that is left out, with the same name in every process."""

    GONE = "absent"


GONE = Absent.GONE
BAD_VALUES: dict[str, list[Any]] = {
    "rollout_id": [GONE, "", "  ", "x" * 257, "a\nb", "a\x00", 5, None],
    "server_url": [
        GONE, "", "ftp://h", "//h", "http://", "http://u:p@h", "http://h?q", "http://h#f",
        "http://h:99999", "http://[::1", "http://h /", 7,
    ],
    "messages": [
        GONE, [], {}, None, "hi", [[]], [{"content": "x"}], [{"role": "wizard"}],
        [USER | {"content": 5}], [USER | {"content": ["x"]}], [USER | {"tool_calls": [{}]}],
    ],
    "max_turns": [0, 101, -1, 3.5, "3", True, None],
    "max_tokens_total": [0, 1_000_001, "9"],
    "metadata": [None, [], "x"],
}  # fmt: skip
BAD: list[tuple[str, Any]] = [(key, value) for key, values in BAD_VALUES.items() for value in values]
BAD_SAMPLING: list[Any] = [
    None, [], "x",
    {"temperature": None}, {"temperature": "1"}, {"temperature": True}, {"top_p": None}, {"max_tokens": 1.5},
    {"max_tokens": None}, {"stop": 5}, {"logprobs": 1}, {"logprobs": None},
    {"messages": []}, {"rollout_id": "x"}, {"response_mask": [1]}, {"stream": True}, {"n": 2},
]  # fmt: skip
SYNC_ONLY: list[tuple[str, Any]] = [
    ("tokenizer_name", GONE),
    ("tokenizer_name", None),
    ("callback_api_key", "a\nb"),
    ("sampling_params", {"temperature": 2.1}),
    ("sampling_params", {"temperature": -1}),
    ("sampling_params", {"top_p": 1.1}),
    ("sampling_params", {"stop": "x"}),
    ("sampling_params", {"max_tokens": 0}),
    ("sampling_params", {"max_tokens": 32769}),
]
CASES = [
    *[("/rollout", key, value) for key, value in BAD + SYNC_ONLY],
    *[("/rollout", "sampling_params", value) for value in [GONE, *BAD_SAMPLING]],
    *[("/v1/rollout/init", key, value) for key, value in BAD],
    *[("/v1/rollout/init", "completion_params", value) for value in [GONE, *BAD_SAMPLING]],
    ("/v1/rollout/init", "api_key", "ключ"),
    ("/v1/rollout/init", "idempotency_key", 5),
]


@pytest.mark.parametrize(("path", "key", "value"), CASES, ids=[f"{c[0]} {c[1]}={c[2]!r}"[:60] for c in CASES])
def test_rejected(path: str, key: str, value: Any) -> None:
    body = sync_start() if path == "/rollout" else init()
    body[key] = value
    trainer = Trainer()
    sent = {k: v for k, v in body.items() if v is not GONE}
    response = asyncio.run(serve(trainer).post(path, sent))
    assert response.status_code == 422
    detail = response.json()["detail"]
    assert detail
    assert all(problem["loc"][:2] == ["body", key] for problem in detail)
    assert trainer.requests == []


GOOD: list[tuple[str, Any]] = [
    ("rollout_id", " x "),
    ("rollout_id", "../../é/" + "x" * 248),
    ("server_url", "HTTPS://trainer.test"),
    ("server_url", "http://[::1]:81/p///"),
    ("messages", [{"role": "developer", "content": "x"}, {"role": "user"}]),
    ("messages", [{"role": "tool", "content": "x"}, {"role": "function", "tool_calls": [], "name": "n"}]),
    ("max_turns", 100),
    ("max_turns", 12.0),
    ("max_tokens_total", 1_000_000),
    ("metadata", {"max_assistant_turns": -1, "debug_trace": True}),
    ("unknown", {"x": 1}),
    ("tool_server_url", None),
]


@pytest.mark.parametrize(("key", "value"), GOOD, ids=[f"{c[0]}={c[1]!r}"[:60] for c in GOOD])
def test_accepted_values(key: str, value: Any) -> None:
    sync, callback = Trainer(), Trainer()
    results = [
        asyncio.run(serve(sync).sync(**{key: value})),
        asyncio.run(serve(callback).callback(callback, **{key: value})),
    ]
    for result in results:
        assert result["status"] == "COMPLETED"
        wire.CompletedRequest.model_validate(result)
        if key == "rollout_id":
            assert result["rollout_id"] == value


@pytest.mark.parametrize("path", ["/rollout", "/v1/rollout/init"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": NaN}', b'{"a": 1e999}', b"[" * 5000])
def test_not_json(path: str, body: bytes) -> None:
    response = asyncio.run(serve(Trainer()).post(path, body))
    assert response.status_code == 400
    assert response.json()["detail"]


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"5"])
def test_not_an_object(body: bytes) -> None:
    assert asyncio.run(serve(Trainer()).post("/rollout", body)).status_code == 422


def test_a_202_tells_the_tools_and_the_id() -> None:
    async def scenario() -> tuple[Any, Any]:
        caller = serve(Trainer())
        response = await caller.post("/v1/rollout/init", init(rollout_id="x/y"))
        return response.json(), (await caller.get("/tools")).json()

    accepted, offered = asyncio.run(scenario())
    wire.InitReply.model_validate(accepted)
    assert accepted == {"rollout_id": "x/y", "tools": offered["tools"]}
    assert "null" not in str(offered)
