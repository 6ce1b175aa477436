"""The contract of the trainer: valid OpenAPI, its examples are valid, and the models of the reference read the same."""

import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
import yaml
from pydantic import BaseModel

from rollout_conformance.contracts.lifecycle import OutOfOrder, advance, check, legal, states
from rollout_conformance.contracts.requirements import load
from rollout_conformance.contracts.tests.test_contract_matches_wire import (
    CONVERSATION,
    SAMPLING,
    named,
    neighbours,
    reads,
)
from rollout_conformance.contracts.tests.test_openapi import examples, mappings
from rollout_conformance.contracts.trainer import wire
from rollout_conformance.contracts.trainer.lifecycle import BREACHES, DONE, LATE, REJECTED, TABLES

FILES = Path(__file__).parents[1] / "trainer"
TEXT = (FILES / "openapi.yaml").read_text()
DOCUMENT = yaml.load(TEXT, Loader=yaml.CSafeLoader)
KNOWN = load(FILES / "requirements.yaml")

FULL: dict[type[BaseModel], dict[str, Any]] = {
    wire.StartRequest: {
        "rollout_id": "test-rollout-123",
        "dialect": "callback",
        "server_url": "http://localhost:9000",
        "messages": CONVERSATION,
        "sampling_params": SAMPLING,
        "max_turns": 10,
        "max_tokens_total": 8192,
        "metadata": {"step": 41},
        "timeout_s": 60,
    },
    wire.ChatRequest: {
        **SAMPLING,
        "model": "default",
        "rollout_id": "test-rollout-123",
        "messages": CONVERSATION,
        "stream": False,
        "n": 1,
        "response_mask": [0, 1, 0],
    },
    wire.Completed: {
        "rollout_id": "test-rollout-123",
        "status": "COMPLETED",
        "final_messages": CONVERSATION,
        "finish_reason": "stop",
        "reward": 1.0,
        "metrics": {"num_llm_calls": 2},
        "extra_fields": {},
    },
}
# The protocol's own models read a completion in their own way here and there; the contract of the other profile holds them.
COMPARED = [wire.StartRequest, wire.ChatRequest]


def schema(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    )


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
    assert tried >= 15


def test_every_requirement_that_is_named_exists() -> None:
    assert set(re.findall(r"TRAINER-\d+", TEXT)) <= set(KNOWN)
    assert set(BREACHES.values()) <= set(KNOWN)


def test_the_numbers_fill_the_gap_in_the_catalogue_of_the_rollout_server() -> None:
    first = range(178, 201)  # the others follow each other from 300 on
    numbers = (*first, *range(300, 300 + len(KNOWN) - len(first)))
    assert sorted(KNOWN) == [f"TRAINER-{n}" for n in numbers]


def test_every_schema_is_used() -> None:
    assert [name for name in DOCUMENT["components"]["schemas"] if f'schemas/{name}"' not in TEXT] == []


@pytest.mark.parametrize("model", FULL, ids=named)
def test_a_full_body_is_valid_for_both(model: type[BaseModel]) -> None:
    assert schema(model.__name__).is_valid(FULL[model])
    assert reads(model, FULL[model])


@pytest.mark.parametrize("model", COMPARED, ids=named)
def test_one_wrong_member_is_wrong_for_both(model: type[BaseModel]) -> None:
    judge = schema(model.__name__)
    changed = list(neighbours(FULL[model]))
    assert [what for what, body in changed if judge.is_valid(body) != reads(model, body)] == []
    assert any(not judge.is_valid(body) for _, body in changed)


@pytest.mark.parametrize("dialect", TABLES)
def test_the_table_is_sound(dialect: str) -> None:
    assert check(TABLES[dialect]) == []


STORY = {
    "sync": [
        "ToolsRequested",
        "ToolsReturned",
        "StartSent",
        "StartRejected",
        "StartSent",
        "GenerationRequested",
        "GenerationReturned",
    ],
    "callback": [
        "StartSent",
        "StartRejected",
        "StartSent",
        "GenerationRequested",
        "StartAccepted",
        "GenerationReturned",
    ],
}
END = {
    "sync": ["ResultReturned"],
    "callback": ["CompletedSent", "CompletedAcknowledged", "CompletedSent", "CompletedAcknowledged"],
}


@pytest.mark.parametrize("dialect", TABLES)
def test_a_whole_rollout_ends_in_done(dialect: str) -> None:
    state = states(TABLES[dialect])[0]
    for event in STORY[dialect] + END[dialect]:
        after = advance(TABLES[dialect], state, role_of(event), event)
        assert isinstance(after, str), after
        state = after
    assert state == DONE


def role_of(event: str) -> str:
    return "server" if event.startswith(("ToolsReturned", "Start")) and event != "StartSent" else _by_end(event)


def _by_end(event: str) -> str:
    return "server" if event in ("GenerationRequested", "CompletedSent", "ResultReturned") else "trainer"


@pytest.mark.parametrize(("state", "event"), BREACHES)
def test_every_breach_is_illegal_somewhere(state: str, event: str) -> None:
    tables = [table for table in TABLES.values() if state in states(table)]
    assert any(("trainer", event) not in legal(table, state) for table in tables)


def test_a_late_call_may_only_be_refused() -> None:
    assert str(advance(TABLES["sync"], LATE, "trainer", "GenerationReturned")).endswith("in LATE: GenerationRejected")
    assert isinstance(advance(TABLES["callback"], REJECTED, "trainer", "GenerationReturned"), OutOfOrder)


@functools.cache
def planted() -> list[dict[str, Any]]:
    """The mutants of the reference, as another process lists them: contracts share no code with it."""
    command = [sys.executable, "-m", "rollout_conformance.rollout_server.mutants.trainer"]
    out = subprocess.run(command, capture_output=True, check=True, timeout=60, cwd=FILES.parents[1]).stdout  # noqa: S603
    return [json.loads(line) for line in out.splitlines()]


def test_every_must_has_a_mutant() -> None:
    broken = {mutant["requirement"] for mutant in planted()}
    assert [id for id, entry in KNOWN.items() if entry.level == "must" and entry.judged and id not in broken] == []


def test_a_mutant_breaks_what_there_is() -> None:
    for mutant in planted():
        assert {mutant["requirement"], *mutant["companions"]} - {"*"} <= set(KNOWN), mutant["name"]
        assert set(mutant["dialects"]) & set(KNOWN[mutant["requirement"]].dialects), mutant["name"]
    names = [mutant["name"] for mutant in planted()]
    assert len(names) == len(set(names))
