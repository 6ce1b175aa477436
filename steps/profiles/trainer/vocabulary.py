"""The YAML keys of a trainer's case and what they stand for."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.engine.verb_parsing import made, members, verb
from rollout_conformance.steps.engine.verbs import from_functions
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.peers.scripted_rollout_server import StartAnswer
from rollout_conformance.steps.profiles.trainer import actions as do
from rollout_conformance.steps.profiles.trainer import expectations as want

TOOLS = tuple(tool["function"]["name"] for tool in calculator.tools())


def _refusal(written: Any) -> StartAnswer:
    given = members(written, "status")
    headers = members(given.get("headers", {}))
    return made(StartAnswer, {**given, "headers": tuple((name.lower(), str(value)) for name, value in headers.items())})


def _enroll(value: Any) -> do.Enroll:
    given = members(value, "rollout")
    if "refuse" in given:
        several = given["refuse"] if isinstance(given["refuse"], list) else [given["refuse"]]
        given["refuse"] = tuple(_refusal(one) for one in several)
    return made(do.Enroll, given, {"tools": TOOLS})


def _statuses(kind: Callable[..., Expectation]) -> Callable[[Any], Expectation]:
    """Statuses in the order in which the requests were sent: 200, or 4xx for any of its class."""
    read = verb(kind, "statuses")  # type: ignore[arg-type]

    def checked(value: Any) -> Expectation:
        expectation = read(value)
        for status in getattr(expectation, "statuses", ()):
            if isinstance(status, str) and not re.fullmatch(r"[1-5]xx", status):
                raise ValueError(f"statuses: {status!r} is no status; write 422, or 4xx for all that begin with 4")
        return expectation

    return checked


ACTIONS: Mapping[str, Callable[[Any], Action]] = {
    "enroll": _enroll,
    "generate": verb(do.Generate, "rollout"),
    "complete": verb(do.Complete, "rollout"),
    "record": verb(do.Record, "rollout"),
    "starts_arrive": verb(do.StartsArrive, "nth"),
}

EXPECTATIONS: Mapping[str, Callable[[Any], Expectation]] = {
    "replies": _statuses(want.Replies),
    "acks": _statuses(want.Acks),
    "controlled": _statuses(want.Controlled),
    "same_replies": verb(want.SameReplies, "rollout"),
    "shows": verb(want.Shows),
    "starts": verb(want.Starts, "most"),
    "tools_in_prompts": verb(want.ToolsInPrompts, "rollout"),
    "sent": verb(want.Sent, "fields"),
}

VOCABULARY = from_functions(ACTIONS, EXPECTATIONS)
