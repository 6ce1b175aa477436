"""Defects of routers in other languages: maps that have members of their own, ids without regard to case, texts in units of UTF-16."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around
from rollout_conformance.rollout_server.mutants.javascript import OF_EVERY_OBJECT, in_pieces_of_utf16
from rollout_conformance.rollout_server.router import failover


def _messages(change: Callable[[Sequence[Any]], Sequence[Any]]) -> Patch:
    """Backends receive other messages."""

    def payload(original: Any, body: Mapping[str, Any]) -> bytes:
        messages = body.get("messages")
        return bytes(original({**body, "messages": change(messages)} if isinstance(messages, list) else body))

    return around(failover, "payload", payload)


def _last_of_each_id(messages: Sequence[Any]) -> Sequence[Any]:
    """Tool messages are kept in a map by their ids in lower case."""
    last = {str(one.get("tool_call_id")).lower(): one for one in messages if one.get("role") == "tool"}
    return [one for one in messages if one.get("role") != "tool" or last[str(one.get("tool_call_id")).lower()] is one]


def _known_ids(messages: Sequence[Any]) -> Sequence[Any]:
    """An id that every object has a member for counts as seen, and its tool message as a duplicate."""
    return [one for one in messages if one.get("tool_call_id") not in OF_EVERY_OBJECT]


def _in_pieces(messages: Sequence[Any]) -> Sequence[Any]:
    return [
        {**one, "content": in_pieces_of_utf16(one["content"])} if isinstance(one.get("content"), str) else one
        for one in messages
    ]


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
        patch=_messages(_last_of_each_id),
    ),
    Mutant(
        "ids_of_object_members",
        breaks="001",
        what="tool messages with an id that every object of JavaScript has a member for, such as constructor, are dropped",
        patch=_messages(_known_ids),
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
        patch=_messages(_in_pieces),
    ),
)
