"""The vocabulary of a case: every YAML key and what it stands for. The phrases of Gherkin give the same values.

A verb is a function from what was written to an action or an expectation; one that cannot be understood raises `ValueError`
with what to write instead.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.engine.verb_parsing import made, members, plain, verb
from rollout_conformance.steps.engine.verbs import from_functions
from rollout_conformance.steps.peers.script import FOREVER, Ack, AnyCall, Call, Fault, HangingCall, Line, Reply
from rollout_conformance.steps.peers.trainer import fitting
from rollout_conformance.steps.profiles.rollout import actions as do
from rollout_conformance.steps.profiles.rollout import expectations as want
from rollout_conformance.steps.profiles.rollout.case_model import Acknowledgement, Failure, StartModel, wishes
from rollout_conformance.steps.profiles.rollout.case_model import Line as LineModel
from rollout_conformance.steps.profiles.rollout.start_request import MEMBERS, StartOverrides, known_members

BODIES = {"not_json": b"<html>oops</html>", "empty": b"", "not_object": b"[]"}
LOSSES = ("reset", "stall", "cut")


def line(model: LineModel) -> tuple[Line, ...]:
    """A trainer's line, as often as it says."""
    if model.fail is not None:
        return (fault(model.fail),)
    written = [model.call] if "call" in model.model_fields_set else model.calls or []
    reply = Reply(
        text=model.say if "say" in model.model_fields_set else model.text,
        calls=tuple(call(one, nth + 1) for nth, one in enumerate(written)),
        **{
            name: getattr(model, name) for name in ("reasoning", "finish", "message", "put", "odd", "end_token", "lost")
        },
        **{name: getattr(model, name) for name in ("drip", "close", "digits", "hold", "delay_s", "content_type")},
        drop=tuple(model.drop),
    )
    fitting(reply)
    return (reply,) * model.repeat


CALL = "any, hanging, {tool: {argument: value}}, {name, arguments, id} or {name, arguments_text, id}"
SEVERAL = (
    "Several calls in one turn are `calls: [{add: {a: 5, b: 3}}, {divide: {a: 1, b: 0}}]` "
    "(in a feature: the trainer calls these tools at once:)"
)


def call(written: Any, nth: int) -> Call | AnyCall | HangingCall:
    if written == "any":
        return AnyCall(nth)
    if written == "hanging":
        return HangingCall()
    if isinstance(written, Mapping) and "name" in written:
        return _named(written)
    if isinstance(written, Mapping) and len(written) == 1:
        ((name, arguments),) = written.items()
        if isinstance(arguments, Mapping):
            return Call(str(name), json.dumps(arguments, ensure_ascii=False))
    if isinstance(written, str):
        raise ValueError(unknown_name("call", written, ("any", "hanging")) + f" A call is {CALL}")
    raise ValueError(f"a call is {CALL}; seen: {written!r}. {SEVERAL}")


def _named(written: Mapping[str, Any]) -> Call:
    """A call in full: the text of its arguments is sent as it is written, and is a JSON object unless it says that it is only a text."""
    for key in written:
        if key not in ("name", "arguments", "arguments_text", "id"):
            raise ValueError(unknown_name("key", key, ("name", "arguments", "arguments_text", "id")))
    for key in ("name", "arguments_text", "id"):
        if not isinstance(written.get(key, ""), str):
            raise ValueError(f"{key} is a text; seen: {written[key]!r}")
    if "arguments_text" in written:
        if "arguments" in written:
            raise ValueError("arguments and arguments_text: a call has one of them")
        return Call(written["name"], written["arguments_text"], written.get("id"))
    arguments = written.get("arguments", "{}")
    if isinstance(arguments, str):
        json_object(arguments)
    elif not isinstance(arguments, Mapping):
        raise ValueError(f"arguments are an object, or the text of one; seen: {arguments!r}")
    return Call(written["name"], arguments, written.get("id"))


def json_object(text: str) -> None:
    """Raises `ValueError` for arguments that are no JSON object: a slip would otherwise be charged to the server."""
    hint = f'To send it all the same, write `arguments_text` (in a feature: with the text "..."). {SEVERAL}'
    try:
        value = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise ValueError(f"the arguments are not JSON ({error}): {text}. {hint}") from None
    if not isinstance(value, dict):
        raise ValueError(f"the arguments are no JSON object: {text}. {hint}")


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def fault(written: int | str | Mapping[str, Any]) -> Fault:
    if isinstance(written, int):
        return Fault(status=written)
    if isinstance(written, str):
        if written in LOSSES:
            return Fault(loss=written)  # type: ignore[arg-type]
        if written in BODIES:
            return Fault(body=BODIES[written])
        raise ValueError(f"fail: {written!r} is none of {', '.join((*LOSSES, *BODIES))}, nor a status")
    try:
        full = Failure.model_validate(written)
    except ValidationError as error:
        raise ValueError(f"fail: {plain(error)}") from None
    body = BODIES[full.kind] if full.kind else full.body.encode() if full.body is not None else None
    times = FOREVER if full.forever else full.times
    return Fault(full.status, full.loss, body, tuple(full.headers.items()), times, full.delay_s)


def ack(written: int | str | Acknowledgement) -> Ack:
    if isinstance(written, int):
        return Ack(written)
    if isinstance(written, str):
        return Ack(loss=written)  # type: ignore[arg-type]
    times = FOREVER if written.forever else written.times
    return Ack(written.status, written.loss, tuple(written.headers.items()), times)


def start_with(model: StartModel, rollout: str = "") -> do.StartWith:
    written = dict(wishes(model))
    rollout_id = written.get("rollout_id")
    shape = written.pop("rollout_id") if isinstance(rollout_id, Mapping) else {}
    own = {
        "path": model.path,
        "scheme": model.scheme,
        "tokenizer": model.tokenizer,
        "metadata_bytes": model.metadata_bytes,
    }
    for name in (*own, "without", "raw", "unknown"):
        written.pop(name, None)
    known_members((*written, *model.without))
    known = [name for name in model.unknown if name in MEMBERS]
    if known:
        raise ValueError(f"unknown: {known[0]} is a member that the protocol knows; write it without `unknown`")
    written |= model.unknown
    budget = written.get("max_tokens_total")
    if isinstance(budget, Mapping):
        del written["max_tokens_total"]
        own["budget"] = _budget(budget)  # type: ignore[assignment]
    raw = model.raw.encode() if model.raw is not None else None
    wanted = StartOverrides(written, tuple(model.without), shape, raw=raw, **own)  # type: ignore[arg-type]
    return do.StartWith(wanted, rollout)


def _budget(written: Mapping[str, Any]) -> tuple[int, int]:
    sampled, plus = written.get("sampled"), written.get("plus", 0)
    if not set(written) <= {"sampled", "plus"} or not isinstance(sampled, int) or not isinstance(plus, int):
        raise ValueError(f"max_tokens_total is a value, or {{sampled: 2, plus: 0}}; seen: {dict(written)!r}")
    return sampled, plus


def _ask(value: Any) -> do.Ask:
    given = members(value, "path")
    body = given.pop("body", None)
    raw = given.pop("raw", None)
    if body is not None and raw is not None:
        raise ValueError("body and raw: give one of them; `body` is sent as JSON, `raw` as it is written")
    if body is not None or raw is not None:
        given["body"] = json.dumps(body).encode() if body is not None else str(raw).encode()
    given["headers"] = tuple((str(k).lower(), str(v)) for k, v in members(given.get("headers", {})).items())
    return made(do.Ask, {"method": "GET", **given})


def _start_as(value: Any) -> do.StartAs:
    return made(do.StartAs, _raw(members(value, "authorization")))


def _cancel(value: Any) -> do.Cancel:
    return made(do.Cancel, _raw(members(value, "rollouts") if value else {}))


def _raw(given: dict[str, Any]) -> dict[str, Any]:
    """A body that was written as text is sent as bytes."""
    return given if given.get("raw") is None else {**given, "raw": str(given["raw"]).encode()}


def _again(value: Any) -> do.Again:
    again = verb(do.Again, "times")(value)
    known_members(again.change)
    return again


ACTIONS: Mapping[str, Callable[[Any], Action]] = {
    "start": verb(do.Start, "rollout"),
    "end": verb(do.End, "rollout"),
    "again": _again,
    "reported": verb(do.Reported, "times"),
    "quiet": verb(do.Quiet, "for_s"),
    "wait_for_call": verb(do.CallArrives, "nth"),
    "release": verb(do.Release, "name"),
    "get": lambda v: made(do.Ask, {"method": "GET", **members(v, "path")}),
    "ask": _ask,
    "start_as": _start_as,
    "cancel": _cancel,
    "status": verb(do.AskStatus, "rollout"),
    "stop_server": verb(do.StopServer),
}

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
STANDINGS = ("queued", "running", "grading", "success", "failure", "cancelled", "unknown")
ENDS = ("success", "failure", "cancelled")
DISPOSITIONS = ("cancelled_queued", "cancelled_running", "not_found")
LIMITS = ("generation_timeout_s", "rollout_timeout_s", "tool_timeout_s")


def _amount(kind: Callable[..., Expectation]) -> Callable[[Any], Expectation]:
    """`calls: 3` is exactly three; `calls: {least: 1, most: 3}` some of them."""

    def read(value: Any) -> Expectation:
        if isinstance(value, bool) or not isinstance(value, int | Mapping):
            raise ValueError(f"this is a number, or {{least: 1, most: 3}}; seen: {value!r}")
        given = {"least": value, "most": value} if isinstance(value, int) else members(value)
        return made(kind, given)  # type: ignore[arg-type]

    return read


def _whole(kind: Callable[..., Expectation], key: str) -> Callable[[Any], Expectation]:
    """A mapping is what the expectation is about, unless it names that member itself."""

    def read(value: Any) -> Expectation:
        given = members(value)
        return made(kind, given if key in given and set(given) <= {key, "rollout"} else {key: given})  # type: ignore[arg-type]

    return read


def _results(value: Any) -> Expectation:
    """A list in the list are the values of which each is right."""
    given = members(value, "values")
    said = given.get("values", ())
    several = said if isinstance(said, list) else [said]
    given["values"] = tuple(tuple(one) if isinstance(one, list) else one for one in several)
    return made(want.ToolResults, given)


EXPECTATIONS: Mapping[str, Callable[[Any], Expectation]] = {
    "refused": verb(want.Refused, "statuses"),
    "last_refused": verb(want.LastRefused, "statuses"),
    "accepted": verb(want.Accepted, "rollout"),
    "completed": verb(want.Completed, "reasons"),
    "failed": verb(want.Failed, "categories"),
    "ended": verb(want.Ended, "rollout"),
    "calls": _amount(want.Calls),
    "posts": _amount(want.Posts),
    "tool_results": _results,
    "tool_error_prefix": verb(want.ToolErrorPrefix),
    "no_internals": verb(want.NoInternals),
    "sent": _whole(want.Sent, "fields"),
    "final_contains": _whole(want.FinalContains, "message"),
    "final_roles": verb(want.FinalRoles, "roles", {"roles": ROLES}),
    "answered": verb(want.Answered, "statuses"),
    "start_header": verb(want.StartHeader, "header"),
    "prompt": verb(want.Prompt, "within_s"),
    "ends_within": verb(want.EndsWithin, "limit", {"limit": LIMITS}),
    "gives_up_calls": verb(want.GivesUpCalls, "rollout"),
    "metrics_present": verb(want.MetricsPresent),
    "at_most_together": verb(want.AtMostTogether),
    "retry_delays": verb(want.RetryDelays, "least_s"),
    "retries_named": verb(want.RetriesNamed),
    "active_returns": verb(want.ActiveReturns, "rises"),
    "standing": verb(want.Standing, "statuses", {"statuses": STANDINGS}),
    "disposed": verb(want.Disposed, "dispositions", {"dispositions": DISPOSITIONS}),
    "cancel_refused": verb(want.CancelRefused),
    "ends": verb(want.Ends, "statuses", {"statuses": ENDS}),
    "reply_names_it": verb(want.ReplyNames),
    "same_outcome": verb(want.SameOutcome),
    "shown_tools_run": verb(want.ShownToolsRun),
    "refused_or_run": verb(want.RefusedOrRun),
    "truncated_call_not_run": verb(want.TruncatedCallNotRun),
    "start_shows_no_key": verb(want.StartShowsNoKey),
}

VOCABULARY = from_functions(ACTIONS, EXPECTATIONS)
