"""The API description: the contracts of all dialects as one OpenAPI document and as one page.

The contracts are read as files. A server that is installed without them still runs; its page says that they are missing.
"""

import functools
from collections.abc import Iterator
from importlib import resources
from typing import Any

import yaml

from rollout_conformance.rollout_server.rollout import docs_page

PACKAGE = "rollout_conformance.contracts.rollout"
DIALECTS = ("sync", "callback", "routed", "leased")
METHODS = ("get", "post")

Document = dict[str, Any]


@functools.cache
def page() -> bytes:
    return docs_page.render([(dialect, part) for dialect, part in contracts()]).encode()


@functools.cache
def document() -> Document:
    """All dialects in one; of a path that several describe the first description is kept."""
    whole: Document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Rollout server",
            "version": "1.0.0",
            "description": "The dialects of the rollout protocol.",
        },
        "paths": {},
        "components": {},
    }
    for dialect, part in contracts():
        named = renamed(with_security(part), f"{dialect}.")
        whole["paths"] = named["paths"] | whole["paths"]
        for kind, components in part.get("components", {}).items():
            renamed_components = {f"{dialect}.{name}": renamed(c, f"{dialect}.") for name, c in components.items()}
            whole["components"].setdefault(kind, {}).update(renamed_components)
    return whole


def contracts() -> Iterator[tuple[str, Document]]:
    for dialect in DIALECTS:
        file = resources.files(PACKAGE) / f"openapi.{dialect}.yaml"
        if file.is_file():
            yield dialect, yaml.safe_load(file.read_text("utf-8"))


def with_security(part: Document) -> Document:
    """The document-wide `security`, written at each operation."""
    paths = {
        path: {
            key: {"security": part.get("security", []), **operation} if key in METHODS else operation
            for key, operation in item.items()
        }
        for path, item in part["paths"].items()
    }
    return part | {"paths": paths}


def renamed(value: Any, prefix: str) -> Any:
    """With a prefix on each reference to a component, as components of several dialects have the same names."""
    if isinstance(value, list):
        return [renamed(item, prefix) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _renamed_member(key, item, prefix) for key, item in value.items()}


def _renamed_member(key: str, value: Any, prefix: str) -> Any:
    if key == "$ref" and isinstance(value, str):
        path, _, name = value.rpartition("/")
        return f"{path}/{prefix}{name}"
    if key == "security":
        return [{prefix + scheme: scopes for scheme, scopes in entry.items()} for entry in value]
    return renamed(value, prefix)
