"""What a contract says about a value: whether it allows it, and which members of it are its own. Pure."""

import functools
from collections.abc import Mapping
from typing import Any

import yaml

from rollout_conformance.contracts import requirements
from rollout_conformance.steps.engine import json_schema
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles.parts import Contract

CONTRACT = Contract(ROOT / "contracts" / "training")
CAPABILITIES = requirements.capabilities(CONTRACT.requirements)
Schema = Mapping[str, Any]


@functools.cache
def document(dialect: str) -> Schema:
    """The OpenAPI document of a dialect."""
    found: Schema = yaml.load(CONTRACT.openapi(dialect).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return found


def body_schema(dialect: str, path: str) -> Schema | None:
    """The schema of the body that is posted to a path, as the contract writes the path."""
    request = document(dialect)["paths"].get(path, {}).get("post", {}).get("requestBody")
    return None if request is None else _resolved(dialect, request["content"]["application/json"]["schema"])


def _resolved(dialect: str, schema: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Schema = document(dialect)["components"]["schemas"][name] if name else schema
    return found


def member(dialect: str, schema: Schema, name: str) -> Schema:
    return _resolved(dialect, schema["properties"][name])


def allows(dialect: str, schema: Schema, value: object) -> bool:
    """Whether the contract allows a value."""
    whole = {**schema, "components": document(dialect)["components"]}
    return json_schema.is_valid(whole, value)


def own(dialect: str, schema: Schema, value: object) -> Any:
    """The value without the members that the contract does not name, at any depth. Of alternatives the first that allows it counts."""
    schema = _resolved(dialect, schema)
    if "oneOf" in schema:
        fitting = (one for one in schema["oneOf"] if allows(dialect, _resolved(dialect, one), value))
        chosen = next(fitting, None)
        return value if chosen is None else own(dialect, chosen, value)
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        return {name: own(dialect, known[name], one) for name, one in value.items() if name in known}
    if isinstance(value, list) and "items" in schema:
        return [own(dialect, schema["items"], one) for one in value]
    return value
