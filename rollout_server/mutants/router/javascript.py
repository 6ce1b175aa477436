"""Defects of routers in other languages: maps that have members of their own, ids without regard to case, texts in units of UTF-16."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around
from rollout_conformance.rollout_server.mutants.javascript import (
    OF_EVERY_OBJECT,
    contents_in_pieces,
    last_result_of_each_id,
    results_without_object_members,
)
from rollout_conformance.rollout_server.router import failover


def _messages(change: Callable[[Sequence[Any]], Sequence[Any]]) -> Patch:
    """Backends receive other messages."""

    def payload(original: Any, body: Mapping[str, Any]) -> bytes:
        messages = body.get("messages")
        return bytes(original({**body, "messages": change(messages)} if isinstance(messages, list) else body))

    return around(failover, "payload", payload)


def _known_tools(original: Any, body: Mapping[str, Any]) -> bytes:
    """A tool whose name every object has a member for counts as declared before."""
    tools = body.get("tools")
    if not isinstance(tools, list):
        return bytes(original(body))
    return bytes(original({**body, "tools": [tool for tool in tools if _name(tool) not in OF_EVERY_OBJECT]}))


def _name(tool: Any) -> object:
    function = tool.get("function") if isinstance(tool, dict) else None
    return function.get("name") if isinstance(function, dict) else None


MUTANTS = (
    Mutant(
        "results_by_id_in_any_case",
        breaks="001",
        what="of tool messages whose ids differ only in case the last is forwarded",
        patch=_messages(last_result_of_each_id),
    ),
    Mutant(
        "ids_of_object_members",
        breaks="001",
        what="tool messages with an id that every object of JavaScript has a member for, such as constructor, are dropped",
        patch=_messages(results_without_object_members),
    ),
    Mutant(
        "tools_of_object_members",
        breaks="001",
        what="a tool that is named as a member that every object of JavaScript has, such as __proto__, is dropped",
        patch=around(failover, "payload", _known_tools),
    ),
    Mutant(
        "pieces_of_utf16",
        breaks="001",
        what="texts are copied in pieces of 256 units of UTF-16, and a character between two is lost",
        patch=_messages(contents_in_pieces),
    ),
)
