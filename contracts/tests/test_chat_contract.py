"""The contract of an engine: valid OpenAPI, its examples are valid, and the models read the same."""

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel
from schemathesis.generation import GenerationMode

from rollout_conformance.contracts.chat import wire
from rollout_conformance.contracts.chat.lifecycle import BREACHES, CHOICE, REQUEST, STREAM
from rollout_conformance.contracts.lifecycle import advance, check, legal, states
from rollout_conformance.contracts.requirements import load
from rollout_conformance.contracts.tests.test_contract_matches_wire import named, neighbours, reads, repeatable
from rollout_conformance.contracts.tests.test_openapi import examples, mappings

FILES = Path(__file__).parents[1] / "chat"
TEXT = (FILES / "openapi.yaml").read_text()
DOCUMENT = yaml.load(TEXT, Loader=yaml.CSafeLoader)
KNOWN = load(FILES / "requirements.yaml")

LOGPROBS = {
    "content": [
        {
            "token": "Paris",
            "logprob": -0.5,
            "bytes": [80, 255],
            "top_logprobs": [{"token": "Rome", "logprob": -1.5, "bytes": None}],
        }
    ]
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 5, "b": 3}'}}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
FULL: dict[type[BaseModel], dict[str, Any]] = {
    wire.ChatRequest: {
        "messages": [
            {"role": "system", "content": "You are a calculator."},
            {"role": "user", "content": [{"type": "text", "text": "Please calculate 5 plus 3."}], "name": "ada"},
            {"role": "assistant", "content": None, "reasoning": "I add.", "tool_calls": [CALL]},
            {"role": "tool", "content": "8", "tool_call_id": "call_1"},
        ],
        "model": "my-model",
        "tools": [
            {"type": "function", "function": {"name": "add", "description": "Add", "parameters": {"type": "object"}}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "add"}},
        "parallel_tool_calls": False,
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 7,
        "n": 2,
        "stop": [".", "!"],
        "max_tokens": 16,
        "max_completion_tokens": 16,
        "ignore_eos": False,
        "logprobs": True,
        "top_logprobs": 2,
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_token_ids": True,
        "response_format": {"type": "json_schema", "json_schema": {"name": "sum", "schema": {"type": "object"}}},
    },
    wire.ChatReply: {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_001,
        "model": "my-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Paris", "reasoning": "In France.", "tool_calls": [CALL]},
                "finish_reason": "stop",
                "stop_reason": 2,
                "logprobs": LOGPROBS,
                "token_ids": [41],
            }
        ],
        "usage": USAGE,
        "prompt_token_ids": [1, 11, 12],
    },
    wire.Chunk: {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_001,
        "model": "my-model",
        "choices": [
            {
                "index": 0,
                "delta": {
                    "role": "assistant",
                    "content": "Paris",
                    "reasoning": "In France.",
                    "tool_calls": [{"index": 0, **CALL}],
                },
                "finish_reason": "stop",
                "stop_reason": "!",
                "logprobs": LOGPROBS,
                "token_ids": [41],
            }
        ],
        "usage": USAGE,
        "prompt_token_ids": [1, 11, 12],
    },
    wire.ErrorReply: {
        "error": {"message": "no such model", "type": "NotFoundError", "param": "model", "code": 404},
    },
}


def schema(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


def bodies(name: str, described: Any, components: Any) -> st.SearchStrategy[Any]:
    """Bodies of one schema, made as those of a fuzz run are."""
    body = {"required": True, "content": {"application/json": {"schema": described}}}
    post = {"post": {"requestBody": body, "responses": {"200": {"description": "read"}}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": name, "version": "1"},
        "paths": {"/": post},
        "components": components,
    }
    operation = schemathesis.openapi.from_dict(document)["/"]["POST"]
    return operation.as_strategy(generation_mode=GenerationMode.POSITIVE).map(lambda case: case.body)


def test_the_document_is_openapi() -> None:
    schemathesis.openapi.from_path(FILES / "openapi.yaml").validate()


def test_every_example_is_valid() -> None:
    tried = 0
    for media in mappings(DOCUMENT):
        if "schema" in media:
            judge = jsonschema_rs.Draft202012Validator({**media["schema"], "components": DOCUMENT["components"]})
            for value in examples(media):
                judge.validate(value)
                tried += 1
    assert tried >= 12


def test_every_requirement_that_is_named_exists() -> None:
    assert set(re.findall(r"CHAT-\d+", TEXT)) <= set(KNOWN)


def test_every_schema_is_used() -> None:
    assert [name for name in DOCUMENT["components"]["schemas"] if f'schemas/{name}"' not in TEXT] == []


@pytest.mark.parametrize("model", FULL, ids=named)
def test_what_the_contract_allows_the_model_reads(model: type[BaseModel]) -> None:
    described = {"$ref": f"#/components/schemas/{model.__name__}"}

    @repeatable
    @given(bodies(model.__name__, described, DOCUMENT["components"]))
    def check(body: dict[str, Any]) -> None:
        model.model_validate(body)

    check()


# Replies are deep, and generating them takes long; one wrong member of theirs is tried below, for both.
@pytest.mark.parametrize("model", [wire.ChatRequest, wire.ErrorReply], ids=named)
def test_what_the_model_reads_the_contract_allows(model: type[BaseModel]) -> None:
    described = model.model_json_schema(ref_template="#/components/schemas/{model}")
    components = {"schemas": described.pop("$defs", {})}
    judge = schema(model.__name__)

    @repeatable
    @given(bodies(model.__name__, described, components))
    def check(body: dict[str, Any]) -> None:
        assume(reads(model, body))
        judge.validate(body)

    check()


@pytest.mark.parametrize("model", FULL, ids=named)
def test_one_wrong_member_is_wrong_for_both(model: type[BaseModel]) -> None:
    judge = schema(model.__name__)
    assert judge.is_valid(FULL[model])
    assert reads(model, FULL[model])
    changed = list(neighbours(FULL[model]))
    assert [what for what, body in changed if judge.is_valid(body) != reads(model, body)] == []
    assert any(not judge.is_valid(body) for _, body in changed)


TABLES = {"REQUEST": REQUEST, "CHOICE": CHOICE, "STREAM": STREAM}
STORIES = [
    ("REQUEST", ["ResponseReturned"], "RETURNED"),
    ("REQUEST", ["StreamOpened", "StreamFinished"], "RETURNED"),
    ("REQUEST", ["StreamOpened", "StreamClosed"], "LOST"),
    ("REQUEST", ["RequestRejected"], "REJECTED"),
    ("CHOICE", ["RoleSent", "PartSent", "PartSent", "FinishSent"], "ENDED"),
    ("CHOICE", ["RoleSent", "FinishSent"], "ENDED"),
    ("STREAM", ["ChunkSent", "LastFinishSent", "UsageSent", "DoneSent"], "DONE"),
    ("STREAM", ["LastFinishSent", "DoneSent"], "DONE"),
    ("STREAM", ["ChunkSent", "ErrorSent", "DoneSent"], "FAILED"),
    ("STREAM", ["ChunkSent", "StreamClosed"], "CLOSED"),
]


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_sound(name: str) -> None:
    assert check(TABLES[name]) == []


@pytest.mark.parametrize(("name", "events", "end"), STORIES)
def test_a_story_ends_where_it_should(name: str, events: list[str], end: str) -> None:
    state = states(TABLES[name])[0]
    for event in events:
        after = advance(TABLES[name], state, "inference server", event)
        assert isinstance(after, str), after
        state = after
    assert state == end


@pytest.mark.parametrize("name", ["REQUEST", "STREAM"])
def test_a_client_may_leave_whatever_is_not_over(name: str) -> None:
    table = TABLES[name]
    may = {state for state in states(table) if ("client", "ClientDisconnected") in legal(table, state)}
    assert may == ({"REQUESTED", "OPENED"} if name == "REQUEST" else {"OPEN", "FINISHED", "USAGE_SENT"})


@pytest.mark.parametrize(("state", "event"), BREACHES)
def test_every_breach_is_illegal_and_known(state: str, event: str) -> None:
    table = CHOICE if state in states(CHOICE) else STREAM
    assert ("inference server", event) not in legal(table, state)
    assert any(event in row for row in table["inference server"].values()), "an event that no state knows"
    assert BREACHES[state, event] in KNOWN
