"""The contract of a router: valid OpenAPI, its examples are valid, and what engines say is described as the contract of engines has it."""

import re
from pathlib import Path

import jsonschema_rs
import schemathesis
import yaml

from rollout_conformance.contracts.requirements import load
from rollout_conformance.contracts.tests.test_openapi import examples, mappings

FILES = Path(__file__).parents[1]
TEXT = (FILES / "router" / "openapi.yaml").read_text()
DOCUMENT = yaml.load(TEXT, Loader=yaml.CSafeLoader)
CHAT = yaml.load((FILES / "chat" / "openapi.yaml").read_text(), Loader=yaml.CSafeLoader)
SCHEMAS, OF_CHAT = DOCUMENT["components"]["schemas"], CHAT["components"]["schemas"]


def test_the_document_is_openapi() -> None:
    schemathesis.openapi.from_path(FILES / "router" / "openapi.yaml").validate()


def test_every_example_is_valid() -> None:
    tried = 0
    for media in mappings(DOCUMENT):
        if "schema" in media:
            judge = jsonschema_rs.Draft202012Validator({**media["schema"], "components": DOCUMENT["components"]})
            for value in examples(media):
                judge.validate(value)
                tried += 1
    assert tried >= 25


def test_every_requirement_that_is_named_exists() -> None:
    known = {*load(FILES / "router" / "requirements.yaml"), *load(FILES / "chat" / "requirements.yaml")}
    assert set(re.findall(r"(?:ROUTER|CHAT)-\d+", TEXT)) <= known


def test_every_part_is_used() -> None:
    parts = [(kind, name) for kind, named in DOCUMENT["components"].items() for name in named]
    unused = [(kind, name) for kind, name in parts if f'{kind}/{name}"' not in TEXT and kind != "securitySchemes"]
    assert unused == []


def test_what_engines_say_is_described_as_in_their_own_contract() -> None:
    both = set(SCHEMAS) & set(OF_CHAT)
    assert {"ChatReply", "Choice", "Chunk", "Usage", "ErrorReply", "ModelList"} <= both
    differing = {name for name in both if _named(SCHEMAS[name]) != _named(OF_CHAT[name])}
    assert differing == {"ChatRequest", "StreamOptions"}, "what a router looks at itself; all else has to be the same"


def _named(schema: object) -> str:
    """A schema without the place of the table of streams, which each file names from where it stands."""
    return re.sub(r"contracts/chat/lifecycle.py|lifecycle.py next to this file", "lifecycle.py", str(schema))


def test_only_who_watches_needs_no_key() -> None:
    free = {path for path, item in DOCUMENT["paths"].items() if any("security" in one for one in item.values())}
    assert free == {"/health", "/v1/status/healthz", "/v1/status/readyz", "/metrics"}
