"""The agent loop: its requests, its history, and when it ends."""

import asyncio
from typing import Any

import pytest

from rollout_conformance.rollout_server.tests.rollout.support import USER, Trainer, call, reply, serve

TOOL = {"role": "tool", "content": "8", "tool_call_id": "call_1"}


def message(answer: dict[str, Any]) -> dict[str, Any]:
    found = answer["choices"][0]["message"]
    assert isinstance(found, dict)
    return found


def run_sync(trainer: Trainer, **start: Any) -> dict[str, Any]:
    return asyncio.run(serve(trainer).sync(**start))


def test_a_tool_runs_and_the_policy_gets_its_result() -> None:
    first, last = reply("I'll calculate that.", call()), reply("8")
    trainer = Trainer([first, last])
    result = run_sync(trainer)
    history = [USER, message(first), TOOL]
    assert [asked["messages"] for asked in trainer.asked] == [[USER], history]
    assert result["final_messages"] == [*history, message(last)]
    assert (result["status"], result["finish_reason"]) == ("COMPLETED", "stop")
    assert "error_message" not in result


CUT = reply("I was about to", call(), choices=[{**reply("x", call())["choices"][0], "finish_reason": "length"}])

ENDINGS = [
    ("no tool calls", [reply()], {}, "stop", 1, "assistant"),
    ("tool_calls is null", [reply(None, choices=[{"message": {"role": "assistant", "tool_calls": None}}])], {}, "stop", 1, "assistant"),
    ("tool_calls is empty", [reply(None, choices=[{"message": {"role": "assistant", "tool_calls": []}}])], {}, "stop", 1, "assistant"),
    ("the last turn asks for a tool", [reply("", call())], {"max_turns": 2}, "max_turns", 2, "tool"),
    ("one turn is one generation", [reply("", call())], {"max_turns": 1}, "max_turns", 1, "tool"),
    ("the budget is reached exactly", [reply("", call(), tokens=5)], {"max_tokens_total": 10}, "max_tokens", 2, "assistant"),
    ("the budget is reached at once", [reply(tokens=5)], {"max_tokens_total": 5}, "max_tokens", 1, "assistant"),
    ("one token is left", [reply("", call(), tokens=4), reply()], {"max_tokens_total": 9}, "stop", 2, "assistant"),
    ("the reply was cut", [CUT], {}, "length", 1, "assistant"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("chats", "start", "reason", "asked", "last"), [e[1:] for e in ENDINGS], ids=[e[0] for e in ENDINGS]
)
def test_a_rollout_ends(chats: list[Any], start: dict[str, Any], reason: str, asked: int, last: str) -> None:
    trainer = Trainer(list(chats))
    result = run_sync(trainer, **start)
    assert (result["status"], result["finish_reason"]) == ("COMPLETED", reason)
    assert len(trainer.asked) == asked
    assert result["final_messages"][-1]["role"] == last
    assert result["metrics"]["num_llm_calls"] == asked


def test_a_message_is_passed_on_unchanged() -> None:
    odd = {
        "role": "assistant",
        "content": None,
        "reasoning_content": "hm\ud800 \u202e🙂",
        "refusal": None,
        "tool_calls": [{**call(arguments='{ "b":3,\t"a" : 5.0 }'), "index": 0, "extra": {"n": 2**70}}],
    }
    start = {"role": "user", "name": "ada", "content": [{"type": "text", "text": "\udfff"}], "weight": 1e-7}
    trainer = Trainer([reply(choices=[{"message": odd}, {"message": {"role": "user"}}]), reply()])
    result = run_sync(trainer, messages=[start])
    assert trainer.asked[1]["messages"][:2] == [start, odd]
    assert list(trainer.asked[1]["messages"][1]) == list(odd)
    assert result["final_messages"][:2] == [start, odd]


def test_results_come_in_the_order_of_the_calls_and_each_call_gets_one() -> None:
    calls = [call("add", '{"a": 1, "b": 1}', "x"), call("nope", "{}", "y"), call("multiply", '{"a": 2, "b": 3}', "x")]
    trainer = Trainer([reply("", *calls), reply()])
    result = run_sync(trainer)
    results = trainer.asked[1]["messages"][-3:]
    assert [(r["tool_call_id"], r["content"][:6]) for r in results] == [("x", "2"), ("y", "Error:"), ("x", "6")]
    assert result["metrics"]["num_tool_calls"] == 3


def test_metrics_add_up() -> None:
    trainer = Trainer([reply("", call(), tokens=5, prompt_token_ids=[0] * 30), reply(tokens=3)])
    trainer.chats[1] = reply(tokens=3, prompt_token_ids=[0] * (30 + 41))
    caller = serve(trainer)
    metrics = asyncio.run(caller.callback(trainer))["metrics"]
    assert metrics["num_llm_calls"] == 2
    assert metrics["response_tokens"] == 8
    assert metrics["prompt_tokens"] == 40  # what `usage` says
    assert metrics["max_context_tokens"] == 23
    assert 0 <= metrics["llm_latency_ms"] + metrics["tool_latency_ms"] <= metrics["total_latency_ms"] + 0.01


@pytest.mark.parametrize(
    ("extra", "counted"),
    [({"usage": None}, 4), ({"usage": {"completion_tokens": 7}}, 7), ({"usage": {}, "token_ids": "secret"}, 0)],
)
def test_the_callback_dialect_counts_reported_usage(extra: dict[str, Any], counted: int) -> None:
    trainer = Trainer([reply(**extra)])
    result = asyncio.run(serve(trainer).callback(trainer))
    assert result["status"] == "COMPLETED"
    assert result["metrics"]["response_tokens"] == counted


def test_sampling_parameters_are_passed_on_unchanged() -> None:
    sampling = {"temperature": 1, "top_k": 5, "seed": 42, "max_tokens": 12.0, "stop": ["x"], "model": "m", "n": 1}
    trainer = Trainer()
    run_sync(trainer, sampling_params=sampling)
    asked = trainer.asked[0]
    assert {key: asked[key] for key in sampling} == sampling
    assert asked["logprobs"] is True
    assert asked["top_p"] == 1.0


def test_the_dialects_send_different_requests() -> None:
    sync, callback = Trainer(), Trainer()
    asyncio.run(serve(sync).sync())
    asyncio.run(serve(callback).callback(callback))
    assert set(sync.asked[0]) - set(callback.asked[0]) == {"response_mask", "stop"}
    assert sync.asked[0]["response_mask"] is None


def test_the_key_of_a_rollout_is_sent_with_all_its_requests() -> None:
    trainer = Trainer()
    asyncio.run(serve(trainer).callback(trainer, api_key="k-1"))
    assert [r.headers["authorization"] for r in trainer.requests] == ["Bearer k-1"] * 2


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_there_is_no_authorization_header(key: str | None) -> None:
    trainer = Trainer()
    asyncio.run(serve(trainer).sync(callback_api_key=key))
    assert "authorization" not in trainer.requests[0].headers


def test_the_prefix_of_the_trainer_is_kept() -> None:
    trainer = Trainer()
    asyncio.run(serve(trainer).callback(trainer, server_url="HTTP://trainer.test:81/run/7//"))
    assert {str(r.url) for r in trainer.requests} == {
        "http://trainer.test:81/run/7/v1/chat/completions",
        "http://trainer.test:81/run/7/v1/rollout/completed",
    }
