"""The YAML keys of a case about a router: those of an engine's, and what concerns the engines behind it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.engine.verb_parsing import made, members, verb
from rollout_conformance.steps.engine.verbs import Vocabulary, from_functions
from rollout_conformance.steps.http.requests import WaitForStatus
from rollout_conformance.steps.peers.scripted_backends import BackendLine
from rollout_conformance.steps.profiles.chat.vocabulary import VOCABULARY as CHAT
from rollout_conformance.steps.profiles.router import actions as do
from rollout_conformance.steps.profiles.router import (
    affinity,
    api_keys,
    concurrency,
    headers,
    limits,
    load_balancing,
    metrics,
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
    "engines": _play,
    "ask_many": verb(do.AskMany, "times"),
    "pause": verb(do.Pause, "seconds"),
    "hung_up": verb(do.Hangs, "within_s"),
    "crowd": verb(concurrency.Crowd, "times"),
    "let_go": verb(concurrency.LetGo),
    "refill": verb(concurrency.Refill, "times"),
    "dawdle": verb(concurrency.Dawdle, "name"),
    "converse": verb(affinity.Converse, "times"),
    "last_dies": verb(affinity.LastDies),
    "engines_down": verb(affinity.Engines, "down", ENGINES),
    "await": verb(WaitForStatus, "path"),
    "ask_until": verb(affinity.AskUntil, "engine", ENGINES),
    "stop": verb(affinity.Stop),
    "make_key": verb(api_keys.MakeKey, "name"),
    "revoke": verb(api_keys.Revoke, "of"),
    "ask_with": verb(api_keys.AskWith, "of"),
    "signed": verb(api_keys.Signed, "name"),
}

EXPECTATIONS: Mapping[str, Callable[[Any], Expectation]] = {
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
    "share": verb(load_balancing.Share, "", ENGINES),
    "nothing_at": verb(load_balancing.Nothing, "engine", ENGINES),
    "asked": verb(load_balancing.AskedOf, "engine", ENGINES),
    "together": verb(load_balancing.Together, "of"),
    "elsewhere": verb(load_balancing.Elsewhere),
    "lists": verb(load_balancing.Lists, "models"),
    "shed": verb(limits.Shed, "places"),
    "held_back": verb(limits.HeldBack),
    "not_passed": verb(headers.NotPassed, "headers"),
    "same_id": verb(headers.SameId, "of"),
    "safe_id": verb(headers.SafeId, "of"),
    "id_at_engine": verb(headers.IdAtEngine, "of"),
    "id_in_error": verb(headers.IdInError, "of"),
    "header_is": verb(headers.HeaderIs, "name"),
    "framed": verb(headers.Framed, "of"),
    "member": verb(headers.Member, "member"),
    "joined": verb(headers.Joined, "text"),
    "counted": verb(metrics.Counted),
    "told_apart": verb(metrics.ToldApart),
    "discreet": verb(metrics.Discreet, "of"),
    "no_strays": verb(metrics.NoStrays),
    "spread": verb(want.Spread, "engines"),
}

OWN = from_functions(ACTIONS, EXPECTATIONS)
VOCABULARY = Vocabulary({**CHAT.actions, **OWN.actions}, {**CHAT.expectations, **OWN.expectations})
