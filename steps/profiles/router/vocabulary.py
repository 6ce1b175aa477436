"""The YAML keys of a case about a router: those of an engine's, and what concerns the engines behind it."""

from collections.abc import Callable, Mapping
from typing import Any

from steps.engine.cases import Action, Expectation
from steps.peers.backends import BackendLine
from steps.profiles.chat import vocabulary as chat
from steps.profiles.router import actions as do
from steps.profiles.router import conversations, crowds, limits, operating, operators, passing, spreading
from steps.profiles.router import expectations as want


def _one(kind: Callable[..., Any], key: str, *tuples: str) -> Callable[[Any], Any]:
    """`verb: x` is short for `verb: {key: x}`; no value at all is the verb's own default. Members named in `tuples` are lists."""

    def verb(value: Any) -> Any:
        given = dict(value) if isinstance(value, Mapping) else {} if value is None else {key: value}
        for name in tuples:
            if name in given:
                given[name] = tuple(given[name]) if isinstance(given[name], list) else (given[name],)
        return kind(**given)

    return verb


def _line(written: Any) -> BackendLine:
    if isinstance(written, int):
        return BackendLine(status=written)
    if written in ("reset", "stall", "cut"):
        return BackendLine(loss=written)
    if isinstance(written, str):
        return BackendLine(say=written)
    return BackendLine(**written)


def _play(value: Any) -> Action:
    return do.Play(
        tuple(_line(one) for one in (value if isinstance(value, list) else [value])) if value else (BackendLine(),)
    )


def _amount(value: Any) -> Expectation:
    return want.BackendCalls(value, value) if isinstance(value, int) else want.BackendCalls(**value)


def _returned(value: Any) -> Expectation:
    given = dict(value)
    return want.Returned(tuple(given["members"].items()), given.get("of", "it"))


def _statuses(value: Any) -> Expectation:
    given = dict(value) if isinstance(value, Mapping) else {"statuses": value}
    if given.get("statuses") is None:
        given.pop("statuses", None)
    else:
        given["statuses"] = tuple(given["statuses"]) if isinstance(given["statuses"], list) else (given["statuses"],)
    return want.Failed(**given)


ACTIONS: Mapping[str, Callable[[Any], Action]] = {
    **chat.ACTIONS,
    "engines": _play,
    "ask_many": lambda v: do.AskMany(**(v if isinstance(v, Mapping) else {"times": v})),
    "pause": lambda v: do.Pause(float(v)),
    "hung_up": lambda v: do.Hangs(**(v or {})),
    "crowd": _one(crowds.Crowd, "times"),
    "let_go": lambda v: crowds.LetGo(),
    "refill": _one(crowds.Refill, "times"),
    "dawdle": _one(crowds.Dawdle, "name"),
    "converse": _one(conversations.Converse, "times"),
    "last_dies": lambda v: conversations.LastDies(),
    "engines_down": _one(conversations.Engines, "down", "down"),
    "await": _one(conversations.Await, "path", "statuses"),
    "ask_until": _one(conversations.AskUntil, "engine"),
    "stop": lambda v: conversations.Stop(),
    "make_key": _one(operators.MakeKey, "name", "scopes"),
    "revoke": _one(operators.Revoke, "of"),
    "ask_with": _one(operators.AskWith, "of"),
    "signed": _one(operators.Signed, "name"),
}

EXPECTATIONS: Mapping[str, Callable[[Any], Expectation]] = {
    **chat.EXPECTATIONS,
    "backend_calls": _amount,
    "passed_on": lambda v: want.PassedOn(**({"of": v} if v else {})),
    "returned": _returned,
    "unfinished": lambda v: want.Unfinished(**(v if isinstance(v, Mapping) else {"of": v} if v else {})),
    "deltas_kept": lambda v: want.DeltasKept(**({"of": v} if v else {})),
    "whole": lambda v: want.Whole(**(v if isinstance(v, Mapping) else {"text": v})),
    "failed": _statuses,
    "left": lambda v: want.HungUp(),
    "same_reply": lambda v: want.SameReply(tuple(v)),
    "header": lambda v: want.HasHeader(**(v if isinstance(v, Mapping) else {"name": v})),
    "limited": lambda v: want.Limited(**v),
    "some": lambda v: want.Some(**{**v, "statuses": tuple(v["statuses"])}),
    "only_engine": _one(want.OnlyEngine, "name"),
    "share": lambda v: spreading.Share(**v),
    "nothing_at": _one(spreading.Nothing, "engine"),
    "asked": _one(spreading.AskedOf, "engine"),
    "together": _one(spreading.Together, "of"),
    "elsewhere": lambda v: spreading.Elsewhere(**v),
    "lists": _one(spreading.Lists, "models", "models"),
    "shed": _one(limits.Shed, "places"),
    "held_back": lambda v: limits.HeldBack(),
    "not_passed": _one(passing.NotPassed, "headers", "headers"),
    "same_id": _one(passing.SameId, "of"),
    "safe_id": _one(passing.SafeId, "of"),
    "id_at_engine": _one(passing.IdAtEngine, "of"),
    "id_in_error": _one(passing.IdInError, "of"),
    "header_is": _one(passing.HeaderIs, "name", "values"),
    "framed": _one(passing.Framed, "of"),
    "member": _one(passing.Member, "member", "one_of", "none_of"),
    "joined": _one(passing.Joined, "text"),
    "counted": lambda v: operating.Counted(**v),
    "told_apart": lambda v: operating.ToldApart(**v),
    "discreet": _one(operating.Discreet, "of"),
    "no_strays": lambda v: operating.NoStrays(),
    "spread": lambda v: want.Spread(**(v or {})),
}
