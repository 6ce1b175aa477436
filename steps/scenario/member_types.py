"""The types of members in words, for readers who write no Python."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from rollout_conformance.steps.engine.verbs import Member

WORDS: Mapping[object, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Any: "any value",
    object: "any value",
    NoneType: "null",
}


def type_of(hint: Any) -> str:
    """`text`, `whole number`, `list of text`, or the words that are allowed."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        described = next((one.schema.get("description") for one in parts[1:] if hasattr(one, "schema")), None)
        return str(described or type_of(parts[0]))
    if origin is Literal:
        return ", ".join(f"`{json.dumps(one) if not isinstance(one, str) else one}`" for one in parts)
    if origin in (Union, UnionType):
        return " or ".join(type_of(part) for part in parts if part is not NoneType)
    if origin in (tuple, list):
        return f"list of {type_of(parts[0])}" if parts else "list"
    if isinstance(origin or hint, type) and issubclass(origin or hint, Mapping):
        return "members"
    return WORDS.get(hint) or name_of(hint)


def name_of(hint: Any) -> str:
    """The name of a class as words: `backend response`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", getattr(hint, "__name__", str(hint))).lower()


def parts_of(hint: Any) -> Iterator[type]:
    """The dataclasses within a type, whose members are described by themselves: not those that a text describes."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    if any("description" in getattr(part, "schema", {}) for part in get_args(hint)):
        return
    for part in get_args(hint):
        yield from parts_of(part)


def default_of(member: Member) -> str:
    """`needed`, or the default as YAML has it; nothing for a member that is absent by default."""
    if member.is_needed:
        return "needed"
    value = member.factory() if callable(member.factory) else member.default
    if value is None or value in ("", (), [], {}) or any(parts_of(member.hint)):
        return ""
    return f"`{json.dumps(value, ensure_ascii=False, default=str)}`"
