"""The contract that people read and the models that the reference server reads say the same, in both directions.

The contract is the law. Where the models are more lenient on purpose, in what they read from a trainer and in what only
a whole result shows, one direction is asked.
"""

import copy
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from schemathesis.generation import GenerationMode

from rollout_conformance.contracts.rollout import wire
from rollout_conformance.contracts.rollout import wire_leased as leased
from rollout_conformance.contracts.rollout import wire_routed as routed

Place = tuple[str | int, ...]
FILES = Path(__file__).parents[1] / "rollout"
CONTRACT = {
    dialect: yaml.load((FILES / f"openapi.{dialect}.yaml").read_text(), Loader=yaml.CSafeLoader)
    for dialect in ("sync", "callback", "routed", "leased")
}

STARTS: list[tuple[str, type[BaseModel]]] = [("sync", wire.RolloutRequest), ("callback", wire.InitRequest)]
CONTROL: list[tuple[str, type[BaseModel]]] = [
    ("routed", routed.RoutedRequest),
    ("routed", routed.CancelRequest),
    ("leased", leased.LeasedRequest),
]
ASKED: list[tuple[str, type[BaseModel]]] = [("sync", wire.MaskedChatRequest), ("callback", wire.ChatRequest)]
ANSWERED: list[tuple[str, type[BaseModel]]] = [
    ("sync", wire.ToolsReply),
    ("sync", wire.TokenChatReply),
    ("sync", wire.RolloutResult),
    ("callback", wire.InitReply),
    ("callback", wire.ChatReply),
    ("callback", wire.CompletedRequest),
    ("routed", routed.StatusReply),
    ("routed", routed.CancelReply),
    ("routed", routed.CompletionCallback),
    ("routed", routed.GraderCallback),
    ("leased", leased.LeaseReply),
    ("leased", leased.ResultReply),
]
EXACT = STARTS + ASKED + CONTROL
EVERY = EXACT + ANSWERED

CONVERSATION: list[Any] = [
    {"role": "system", "content": "You are a helpful calculator assistant."},
    {"role": "user", "content": [{"type": "text", "text": "Please calculate 5 plus 3."}], "name": "ada"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 5, "b": 3}'}},
            {"id": "call_2", "type": "function", "function": {"name": "add", "arguments": {"a": 5, "b": 3}}},
        ],
    },
    {"role": "tool", "content": "8", "tool_call_id": "call_1"},
]
SAMPLING = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 512, "stop": ["\n"], "logprobs": True}
START = {
    "rollout_id": "test-rollout-123",
    "server_url": "http://localhost:9001",
    "messages": CONVERSATION,
    "max_turns": 10,
    "max_tokens_total": 8192,
    "metadata": {"step": 41},
    "tool_server_url": "http://localhost:9002",
}
FULL: dict[type[BaseModel], dict[str, Any]] = {
    wire.RolloutRequest: {
        **START,
        "sampling_params": {**SAMPLING, "stream": False, "n": 1},
        "callback_api_key": "a key",
        "tokenizer_name": "Qwen/Qwen3-8B",
        "tokenizer_revision": "main",
    },
    wire.InitRequest: {
        **START,
        "completion_params": {**SAMPLING, "stream": False, "n": 1},
        "api_key": "a key",
        "idempotency_key": "step-41-sample-7",
    },
    wire.MaskedChatRequest: {
        **SAMPLING,
        "model": "default",
        "rollout_id": "test-rollout-123",
        "messages": CONVERSATION,
        "response_mask": [0, 1, 0],
    },
    routed.RoutedRequest: {
        "rollout_id": "step-41",
        "initial_messages": CONVERSATION,
        "chat_completions_url": "http://localhost:9001/v1",
        "completion_callback_url": "http://localhost:9001/completed",
        "grader_callback_url": "http://localhost:9001/graded",
        "controller_api_key": "a key",
        "llm_api_key": "another key",
        "label": "8",
        "metadata": {"step": 41},
        "agent_timeout_sec": 600,
        "grader_timeout_sec": 1.5,
        "extra_fields": {},
    },
    leased.LeasedRequest: {
        "rollout_id": "step-41",
        "initial_messages": CONVERSATION,
        "chat_completions_url": "http://localhost:9001/v1",
        "llm_api_key": "a key",
        "grade": True,
        "label": "8",
        "metadata": {"step": 41},
        "agent_timeout_sec": 600,
        "grader_timeout_sec": 1.5,
        "extra_fields": {},
    },
    routed.CancelRequest: {"ids": ["step-41"]},
    wire.ChatRequest: {**SAMPLING, "model": "default", "rollout_id": "test-rollout-123", "messages": CONVERSATION},
}
NUMBERS: list[Any] = [0, 1, -1, 2, 2.0, 2.1, 100, 101, 12.5, 32768, 32769, 1_000_000, 1_000_001, 2**53, 1e300]
TEXTS: list[Any] = ["", " ", "x", "12", "é", "a\nb", "x" * 256, "x" * 257, "user", "developer", "wizard", "function"]
OTHERS: list[Any] = [None, True, False, [], [0], ["x"], [None], [{}], {}, {"x": 1}, {"role": "user"}, {"role": None}]
AWKWARD = NUMBERS + TEXTS + OTHERS
IDS: list[Any] = [*AWKWARD, " x ", "\t", "\u00a0", "\u3000", "a\x00b", "a\x85b", "../x", "é" * 256, "é" * 257]
ADDRESSES = r"""
http://a https://a HTTP://a hTTpS://A.b-c_d~1/ http://1.2.3.4:1 http://a:65535/p/q// http://a:/ http://a// http://a/%20@:[x]
http://[::1] http://[::1]:80/p http://[fe80::1:2:3:4] http://[1:2:3:4:5:6:7:8] http://[1:2:3::] http://[::]
http:// http:///p http://:80 http://a:0 http://a:00 http://a:65536 http://a:b http://a:1:2
http://u@a http://u:p@a http://a?q http://a#f http://a/?q=1 http://a/#f http://a\b
http://[::1 http://::1 http://[:::] http://[1::2::3] http://[1:2] http://[v1.x] http://[::1.2.3.4] http://[::g] http://[]
ftp://a ws://a file:///p //a a localhost:9001 http:a http:/a
http://é http://a/é http://a"b http://a/"b http://a%41 http://a,b http://a/{b}
"""
URLS: list[Any] = [
    *ADDRESSES.split(),
    "",
    " http://a",
    "http://a ",
    "http://a b",
    "http://a\n",
    "http://a/\x7f",
    None,
    1,
]
STRAYS: dict[Place, Any] = {
    **{(params, key): None for params in ("sampling_params", "completion_params") for key in wire.SHADOWING},
    **{(params, "seed"): 7 for params in ("sampling_params", "completion_params")},
    ("messages", 0, "unknown"): {"x": None},
    ("messages", 2, "tool_calls", 0, "unknown"): None,
    ("messages", 2, "tool_calls", 0, "function", "unknown"): 1,
}

LEFT_OUT = object()

repeatable = settings(
    max_examples=6, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def named(value: Any) -> str | None:
    return value.__name__ if isinstance(value, type) else None


@functools.cache
def contract(dialect: str, name: str) -> Any:
    components = CONTRACT[dialect]["components"]
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components})


def reads(model: type[BaseModel], body: Any) -> bool:
    try:
        model.model_validate(body)
    except ValidationError:
        return False
    return True


def can_be(model: type[BaseModel], name: str, value: Any) -> bool:
    return reads(model, {**FULL[model], name: value})


@functools.cache
def bodies(dialect: str | None, model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Bodies that the contract allows, or that the model describes when no dialect is named."""
    if dialect is None:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        components = {"schemas": schema.pop("$defs", {})}
        for name, texts in {"server_url": URLS, "rollout_id": IDS, "api_key": TEXTS, "callback_api_key": TEXTS}.items():
            if name in schema["properties"]:  # the model describes it as any text, and few texts will do
                schema["properties"][name] = {"enum": [text for text in texts if can_be(model, name, text)]}
    else:
        schema, components = {"$ref": f"#/components/schemas/{model.__name__}"}, CONTRACT[dialect]["components"]
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    post = {"post": {"requestBody": body, "responses": {"200": {"description": "read"}}}}
    info = {"title": model.__name__, "version": "1"}
    document = {"openapi": "3.1.0", "info": info, "paths": {"/": post}, "components": components}
    operation = schemathesis.openapi.from_dict(document)["/"]["POST"]
    return operation.as_strategy(generation_mode=GenerationMode.POSITIVE).map(lambda case: case.body)


@pytest.mark.parametrize(("dialect", "model"), EVERY, ids=named)
def test_what_the_contract_allows_the_model_reads(dialect: str, model: type[BaseModel]) -> None:
    @repeatable
    @given(bodies(dialect, model))
    def check(body: dict[str, Any]) -> None:
        if model is wire.TokenChatReply:  # no schema can say that two lists are equally long
            body["logprobs"] = [-0.5] * len(body["token_ids"])
        model.model_validate(body)

    check()


@pytest.mark.parametrize(("dialect", "model"), EXACT, ids=named)
def test_what_the_model_reads_the_contract_allows(dialect: str, model: type[BaseModel]) -> None:
    @repeatable
    @given(bodies(None, model))
    def check(body: dict[str, Any]) -> None:
        assume(reads(model, body))
        contract(dialect, model.__name__).validate(body)

    check()


# Hypothesis finds what nobody thought of; what somebody did think of is tried without luck: every member of a full
# body, replaced by every awkward value, left out, or joined by a member that does not belong there.
@pytest.mark.parametrize(("dialect", "model"), EXACT, ids=named)
def test_one_wrong_member_is_wrong_for_both(dialect: str, model: type[BaseModel]) -> None:
    judge = contract(dialect, model.__name__)
    full = FULL[model]
    assert judge.is_valid(full)
    disagree = []
    for what, body in neighbours(full):
        if judge.is_valid(body) != reads(model, body):
            disagree.append(f"{what}: the contract says {judge.is_valid(body)}")
    assert disagree == []


def neighbours(full: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for place in places(full):
        yield f"{place} left out", changed(full, place, LEFT_OUT)
        for value in {"server_url": URLS, "rollout_id": IDS}.get(str(place[-1]), AWKWARD):
            yield f"{place} = {value!r:.80}", changed(full, place, value)
    for place, value in STRAYS.items():
        if place[0] in full:
            yield f"{place} = {value!r}", changed(full, place, value)


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places(inner, (*at, key))


def changed(full: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    body = copy.deepcopy(full)
    holder: Any = body
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    if value is LEFT_OUT:
        del holder[place[-1]]
    return body
