"""Defects of trainers in other languages: maps that have members of their own, texts in units of UTF-16."""

from collections.abc import Mapping, Sequence
from typing import Any

from rollout_conformance.rollout_server.mutants.dialects import SYNC
from rollout_conformance.rollout_server.mutants.framework import Mutant, around
from rollout_conformance.rollout_server.mutants.javascript import OF_EVERY_OBJECT, contents_in_pieces
from rollout_conformance.rollout_server.trainer import prompt, start_request
from rollout_conformance.rollout_server.trainer.session import Session
from rollout_conformance.rollout_server.trainer.session_store import SessionStore


def _finds_members_of_objects(original: Any, self: SessionStore, rollout_id: str) -> Session:
    if rollout_id in OF_EVERY_OBJECT:
        raise TypeError("planted")
    return original(self, rollout_id)  # type: ignore[no-any-return]


def _known_tools(original: Any, self: Session, tools: Sequence[Any]) -> None:
    """A tool whose name every object has a member for counts as declared before."""
    original(self, [tool for tool in tools if tool["function"]["name"] not in OF_EVERY_OBJECT])


def _in_pieces(messages: Any) -> Any:
    return contents_in_pieces(messages) if isinstance(messages, list) else messages


def _prompt_in_pieces(original: Any, tokens: Any, past: Any, known: Any, messages: Any, tools: Any) -> Any:
    return original(tokens, past, _in_pieces(known), _in_pieces(messages), tools)


def _start_in_pieces(original: Any, raw: Mapping[str, Any], *rest: Any) -> Any:
    return original({**raw, "messages": _in_pieces(raw.get("messages"))}, *rest)


MUTANTS = (
    Mutant(
        "object_members_known",
        breaks="303",
        also=("184",),
        what="a rollout id that every object of JavaScript has a member for, such as constructor, is a server error",
        patch=around(SessionStore, "find", _finds_members_of_objects),
    ),
    Mutant(
        "tools_of_object_members",
        breaks="183",
        also=("196", "197"),
        what="a tool that is named as a member that every object of JavaScript has, such as __proto__, is dropped",
        patch=around(Session, "set_tools", _known_tools),
        dialects=SYNC,
    ),
    Mutant(
        "prompts_in_pieces_of_utf16",
        breaks="183",
        what="texts become tokens in pieces of 256 units of UTF-16, and a character between two is lost",
        patch=around(prompt, "build", _prompt_in_pieces),
        dialects=SYNC,
    ),
    Mutant(
        "starts_in_pieces_of_utf16",
        breaks="308",
        also=("183", "187"),
        what="the texts of a start request are copied in pieces of 256 units of UTF-16, and a character between two is lost",
        patch=around(start_request, "read", _start_in_pieces),
    ),
)
