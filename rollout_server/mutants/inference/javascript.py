"""Defects of servers in other languages: maps that have members of their own, and ids without regard to case."""

from collections.abc import Callable, Sequence
from typing import Any

from rollout_conformance.rollout_server.inference import chat_prompt, rule_based_model
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, after, around
from rollout_conformance.rollout_server.mutants.inference.patches import with_changes
from rollout_conformance.rollout_server.mutants.javascript import (
    OF_EVERY_OBJECT,
    contents_in_pieces,
    last_result_of_each_id,
    results_without_object_members,
)


def _conversation(change: Callable[[Sequence[Any]], Sequence[Any]]) -> Patch:
    """The policy sees other messages."""

    def reply(original: Any, request: ChatRequest) -> Any:
        return original(with_changes(request, messages=change(request.messages)))

    return around(rule_based_model, "reply_to_question", reply)


def _known_tools(original: Any, request: ChatRequest) -> Any:
    names = [tool["function"]["name"] for tool in request.tools or ()]
    return "none" if names and all(name in OF_EVERY_OBJECT for name in names) else original(request)


MUTANTS = (
    Mutant(
        "results_by_id_in_any_case",
        breaks="043",
        what="of tool messages whose ids differ only in case the policy sees the last",
        patch=_conversation(last_result_of_each_id),
    ),
    Mutant(
        "ids_of_object_members",
        breaks="043",
        what="tool messages with an id that every object of JavaScript has a member for, such as constructor, are dropped",
        patch=_conversation(results_without_object_members),
    ),
    Mutant(
        "pieces_of_utf16",
        breaks="025",
        what="texts become tokens in pieces of 256 units of UTF-16, and a character between two is lost",
        patch=after(chat_prompt, "history", contents_in_pieces),
    ),
    Mutant(
        "tools_of_object_members",
        breaks="042",
        what="a tool that is named as a member that every object of JavaScript has, such as __proto__, is never called",
        patch=around(chat_prompt, "mode", _known_tools),
    ),
)
