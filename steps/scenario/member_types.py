"""The types of members in words, for readers who write no Python."""

import json
from collections.abc import Mapping
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
    return WORDS.get(hint, getattr(hint, "__name__", str(hint)).lower())


def default_of(member: Member) -> str:
    """`needed`, or the default as YAML has it; nothing for a member that is absent by default."""
    if member.is_needed:
        return "needed"
    value = member.factory() if callable(member.factory) else member.default
    if value is None or value in ("", (), [], {}):
        return ""
    return f"`{json.dumps(value, ensure_ascii=False, default=str)}`"
