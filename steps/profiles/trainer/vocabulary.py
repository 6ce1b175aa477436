"""The YAML keys of a trainer's case and what they stand for."""

from collections.abc import Callable, Mapping
from typing import Any

from steps.engine.cases import Action, Expectation
from steps.peers.host import StartAnswer
from steps.profiles.trainer import actions as do
from steps.profiles.trainer import expectations as want


def _one(value: Any, key: str) -> dict[str, Any]:
    """`verb: x` is short for `verb: {key: x}`; no value at all is the verb's own default."""
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value is None or value is True else {key: value}


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _refusal(written: Any) -> StartAnswer:
    if isinstance(written, int):
        return StartAnswer(written)
    return StartAnswer(
        written["status"], tuple((str(k).lower(), str(v)) for k, v in written.get("headers", {}).items())
    )


def _enroll(value: Any) -> do.Enroll:
    given = _one(value, "rollout")
    if "refuse" in given:
        given["refuse"] = tuple(_refusal(one) for one in _tuple(given["refuse"]))
    if "tools" in given:
        given["tools"] = _tuple(given["tools"])
    return do.Enroll(**given)


def _statuses(kind: Callable[..., Expectation]) -> Callable[[Any], Expectation]:
    def verb(value: Any) -> Expectation:
        given = _one(value, "statuses")
        given["statuses"] = _tuple(given.get("statuses", []))
        return kind(**given)

    return verb


def _shows(value: Any) -> want.Shows:
    given = dict(value)
    if "status" in given:
        given["status"] = _tuple(given["status"])
    return want.Shows(**given)


def _sent(value: Any) -> want.Sent:
    given = _one(value, "fields")
    given["fields"] = _tuple(given["fields"])
    return want.Sent(**given)


ACTIONS: Mapping[str, Callable[[Any], Action]] = {
    "enroll": _enroll,
    "generate": lambda v: do.Generate(**_one(v, "rollout")),
    "complete": lambda v: do.Complete(**_one(v, "rollout")),
    "record": lambda v: do.Record(**_one(v, "rollout")),
    "starts_arrive": lambda v: do.StartsArrive(**_one(v, "nth")),
}

EXPECTATIONS: Mapping[str, Callable[[Any], Expectation]] = {
    "replies": _statuses(want.Replies),
    "acks": _statuses(want.Acks),
    "controlled": _statuses(want.Controlled),
    "same_replies": lambda v: want.SameReplies(**_one(v, "rollout")),
    "shows": _shows,
    "starts": lambda v: want.Starts(**_one(v, "most")),
    "tools_in_prompts": lambda v: want.ToolsInPrompts(**_one(v, "rollout")),
    "sent": _sent,
}
