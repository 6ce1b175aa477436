"""The YAML keys of a case about a router: those of an engine's, and what concerns the engines behind it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.engine.verb_parsing import made, members, verb
from rollout_conformance.steps.peers.backends import BackendLine
from rollout_conformance.steps.profiles.chat import vocabulary as chat
from rollout_conformance.steps.profiles.router import actions as do
from rollout_conformance.steps.profiles.router import (
    conversations,
    crowds,
    limits,
    operating,
    operators,
    passing,
    spreading,
)
from rollout_conformance.steps.profiles.router import expectations as want

ENGINES = {"engine": ("a", "b", "c", "d"), "down": ("a", "b", "c", "d")}
LOSSES = ("reset", "stall", "cut")


def _line(written: Any) -> BackendLine:
    """A status, a loss, a text that is said, or all of it by name."""
    if isinstance(written, int):
        return made(BackendLine, {"status": written})
    given = {"loss": written} if written in LOSSES else members(written, "say")
    line = made(BackendLine, given)
    try:
        json.dumps(dict(line.put), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"put: {dict(line.put)} cannot be sent as JSON: {error}") from None
    return line


def _play(value: Any) -> Action:
    lines = tuple(_line(one) for one in (value if isinstance(value, list) else [value])) if value else ()
    return do.Play(lines or (BackendLine(),))


def _amount(value: Any) -> Expectation:
    """`backend_calls: 3` is exactly three; `{least: 1, most: 3}` some of them."""
    return made(want.BackendCalls, {"least": value, "most": value} if isinstance(value, int) else members(value))


def _returned(value: Any) -> Expectation:
    given = members(value)
    return made(want.Returned, {**given, "members": tuple(members(given.get("members", {})).items())})


ACTIONS: Mapping[str, Callable[[Any], Action]] = {
    **chat.ACTIONS,
    "engines": _play,
    "ask_many": verb(do.AskMany, "times"),
    "pause": verb(do.Pause, "seconds"),
    "hung_up": verb(do.Hangs, "within_s"),
    "crowd": verb(crowds.Crowd, "times"),
    "let_go": verb(crowds.LetGo),
    "refill": verb(crowds.Refill, "times"),
    "dawdle": verb(crowds.Dawdle, "name"),
    "converse": verb(conversations.Converse, "times"),
    "last_dies": verb(conversations.LastDies),
    "engines_down": verb(conversations.Engines, "down", ENGINES),
    "await": verb(conversations.Await, "path"),
    "ask_until": verb(conversations.AskUntil, "engine", ENGINES),
    "stop": verb(conversations.Stop),
    "make_key": verb(operators.MakeKey, "name"),
    "revoke": verb(operators.Revoke, "of"),
    "ask_with": verb(operators.AskWith, "of"),
    "signed": verb(operators.Signed, "name"),
}

EXPECTATIONS: Mapping[str, Callable[[Any], Expectation]] = {
    **chat.EXPECTATIONS,
    "backend_calls": _amount,
    "passed_on": verb(want.PassedOn, "of"),
    "returned": _returned,
    "unfinished": verb(want.Unfinished, "of"),
    "deltas_kept": verb(want.DeltasKept, "of"),
    "whole": verb(want.Whole, "text"),
    "failed": verb(want.Failed, "statuses"),
    "left": verb(want.HungUp),
    "same_reply": verb(want.SameReply, "of"),
    "header": verb(want.HasHeader, "name"),
    "limited": verb(want.Limited),
    "some": verb(want.Some),
    "only_engine": verb(want.OnlyEngine, "name"),
    "share": verb(spreading.Share, "", ENGINES),
    "nothing_at": verb(spreading.Nothing, "engine", ENGINES),
    "asked": verb(spreading.AskedOf, "engine", ENGINES),
    "together": verb(spreading.Together, "of"),
    "elsewhere": verb(spreading.Elsewhere),
    "lists": verb(spreading.Lists, "models"),
    "shed": verb(limits.Shed, "places"),
    "held_back": verb(limits.HeldBack),
    "not_passed": verb(passing.NotPassed, "headers"),
    "same_id": verb(passing.SameId, "of"),
    "safe_id": verb(passing.SafeId, "of"),
    "id_at_engine": verb(passing.IdAtEngine, "of"),
    "id_in_error": verb(passing.IdInError, "of"),
    "header_is": verb(passing.HeaderIs, "name"),
    "framed": verb(passing.Framed, "of"),
    "member": verb(passing.Member, "member"),
    "joined": verb(passing.Joined, "text"),
    "counted": verb(operating.Counted),
    "told_apart": verb(operating.ToldApart),
    "discreet": verb(operating.Discreet, "of"),
    "no_strays": verb(operating.NoStrays),
    "spread": verb(want.Spread, "engines"),
}
