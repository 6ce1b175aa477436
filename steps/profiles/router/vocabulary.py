"""The YAML keys of a case about a router: those of an engine's, and what concerns the engines behind it."""

from collections.abc import Callable, Mapping
from typing import Any

from steps.engine.cases import Action, Expectation
from steps.peers.backends import BackendLine
from steps.profiles.chat import vocabulary as chat
from steps.profiles.router import actions as do
from steps.profiles.router import expectations as want
from steps.profiles.router import spreading


def _line(written: Any) -> BackendLine:
    if isinstance(written, int):
        return BackendLine(status=written)
    if written in ("reset", "stall"):
        return BackendLine(loss="reset" if written == "reset" else "stall")
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
    "only_engine": lambda v: want.OnlyEngine(),
    "share": lambda v: spreading.Share(**v),
    "spread": lambda v: want.Spread(**(v or {})),
}
