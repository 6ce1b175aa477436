"""The contracts are valid OpenAPI, their examples are valid, and both dialects tell the same story."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
import yaml

from rollout_conformance.contracts.requirements import load

FILES = Path(__file__).parents[1] / "rollout"
DIALECTS = {
    name: yaml.load((FILES / f"openapi.{name}.yaml").read_text(), Loader=yaml.CSafeLoader)
    for name in ("sync", "callback", "routed", "leased")
}
each = pytest.mark.parametrize("dialect", DIALECTS)


@each
def test_the_document_is_openapi(dialect: str) -> None:
    schemathesis.openapi.from_path(FILES / f"openapi.{dialect}.yaml").validate()


@pytest.mark.parametrize(
    ("dialect", "operations"),
    [
        ("sync", ["GET /health", "GET /tools", "POST /rollout"]),
        ("callback", ["GET /health", "GET /platform/health", "POST /v1/rollout/init"]),
        ("routed", ["POST /rollout", "GET /rollout/{rollout_id}/status", "POST /rollout/cancel"]),
        ("leased", ["POST /rollout", "GET /rollout/{rollout_id}/result", "POST /rollout/cancel"]),
    ],
)
def test_the_server_has_these_operations(dialect: str, operations: list[str]) -> None:
    schema = schemathesis.openapi.from_path(FILES / f"openapi.{dialect}.yaml")
    assert [f"{method.upper()} {path}" for path in schema for method in schema[path]] == operations


@pytest.mark.parametrize(
    ("dialect", "start", "paths"),
    [
        ("sync", "/rollout", ["/v1/chat/completions"]),
        ("callback", "/v1/rollout/init", ["/v1/chat/completions", "/v1/rollout/completed"]),
    ],
)
def test_the_trainer_has_these_operations(dialect: str, start: str, paths: list[str]) -> None:
    callbacks = DIALECTS[dialect]["paths"][start]["post"]["callbacks"].values()
    assert [url for callback in callbacks for url in callback] == [f"{{$request.body#/server_url}}{p}" for p in paths]


@each
def test_every_example_is_valid(dialect: str) -> None:
    components = DIALECTS[dialect]["components"]
    tried = 0
    for media in mappings(DIALECTS[dialect]):
        if "schema" in media:
            judge = jsonschema_rs.Draft202012Validator({**media["schema"], "components": components})
            for value in examples(media):
                judge.validate(value)
                tried += 1
    assert tried >= 10


@each
def test_every_requirement_that_is_named_exists(dialect: str) -> None:
    known = load(FILES / "requirements.yaml")
    text = (FILES / f"openapi.{dialect}.yaml").read_text()
    for id in set(re.findall(r"ROLLOUT-\d+", text)):
        assert dialect in known[id].dialects, id


@each
def test_every_schema_is_used(dialect: str) -> None:
    text = (FILES / f"openapi.{dialect}.yaml").read_text()
    assert [name for name in DIALECTS[dialect]["components"]["schemas"] if f'schemas/{name}"' not in text] == []


def test_what_several_dialects_have_is_the_same_in_all() -> None:
    sync, callback, routed, leased = (document["components"]["schemas"] for document in DIALECTS.values())
    assert {name for name in sync if name in callback and sync[name] != callback[name]} == {
        "Health",
        "Metadata",
        "Tool",
    }
    assert {name for name in routed if name in callback and routed[name] != callback[name]} == {
        "ChatRequest",
        "RolloutId",
        "ServerUrl",
    }
    assert {name for name in leased if name in routed and leased[name] != routed[name]} == set()


def examples(media: dict[str, Any]) -> Iterator[Any]:
    yield from [media["example"]] if "example" in media else []
    yield from (example["value"] for example in media.get("examples", {}).values())


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from mappings(inner)
