"""Defects of servers in other languages: maps that have members of their own, ids without regard to case, texts counted in units of UTF-16."""

from collections.abc import Mapping, Sequence
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, after, around
from rollout_conformance.rollout_server.mutants.javascript import OF_EVERY_OBJECT, in_pieces_of_utf16
from rollout_conformance.rollout_server.rollout import agent, generation, tools


def _without(answered: Any) -> Patch:
    """Calls whose id is in `answered(history, calls before it)` are not run, and get no message."""

    async def run_tools(original: Any, rollout: Any, calls: Sequence[Any], app_state: Any) -> Any:
        left = [call for n, call in enumerate(calls) if not answered(call["id"], rollout.history, calls[:n])]
        return await original(rollout, left, app_state)

    return around(agent, "run_tools", run_tools)


def _in_another_case(wanted: Any, history: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> bool:
    known = [message.get("tool_call_id") for message in history if message.get("role") == "tool"]
    known += [call["id"] for call in before]
    same = [str(one) for one in known if str(one).lower() == str(wanted).lower()]
    return bool(same) and wanted not in same


def _finds_members_of_objects(original: Any, box: Any, name: str) -> Any:
    if name in OF_EVERY_OBJECT:
        raise TypeError("planted")
    return original(box, name)


def _in_pieces(raw: Any) -> Any:
    for choice in raw.get("choices") or () if isinstance(raw, dict) else ():
        message = choice.get("message") if isinstance(choice, dict) else None
        if isinstance(message, dict) and isinstance(message.get("content"), str):
            message["content"] = in_pieces_of_utf16(message["content"])
    return raw


MUTANTS = (
    Mutant(
        "ids_in_any_case",
        breaks="093",
        also=("094", "095", "104", "109", "117"),
        what="of calls whose ids differ only in case one is run",
        patch=_without(_in_another_case),
    ),
    Mutant(
        "ids_of_object_members",
        breaks="093",
        also=("049", "094", "104", "109", "117"),
        what="a call with an id that every object of JavaScript has a member for, such as constructor, counts as answered",
        patch=_without(lambda wanted, history, before: wanted in OF_EVERY_OBJECT),
    ),
    Mutant(
        "tools_of_object_members",
        breaks="107",
        also=("097",),
        what="an unknown tool named as a member that every object of JavaScript has, such as __proto__, ends the rollout",
        patch=around(tools, "find", _finds_members_of_objects),
    ),
    Mutant(
        "pieces_of_utf16",
        breaks="049",
        also=("115", "117", "118", "202"),
        what="the text of a generation is copied in pieces of 256 units of UTF-16, and a character between two is lost",
        patch=after(generation, "parse", _in_pieces),
    ),
)
