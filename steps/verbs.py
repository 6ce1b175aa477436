"""The vocabulary of a case: every YAML key and what it stands for. The phrases of Gherkin give the same values.

A verb is a function from what was written to an action or an expectation; one that cannot be understood raises `ValueError`
with what to write instead.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from steps.engine.cases import Action, Expectation
from steps.peers.script import FOREVER, Ack, AnyCall, Call, Fault, HangingCall, Line, Reply
from steps.profiles.rollout import actions as do
from steps.profiles.rollout import expectations as want
from steps.profiles.rollout.given import Wanted
from steps.scenario_model import Acknowledgement, Failure, StartWishes, wishes
from steps.scenario_model import Line as LineModel

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
    return (reply,) * model.repeat


def call(written: Any, nth: int) -> Call | AnyCall | HangingCall:
    if written == "any":
        return AnyCall(nth)
    if written == "hanging":
        return HangingCall()
    if isinstance(written, Mapping) and "name" in written and set(written) <= {"name", "arguments", "id"}:
        return Call(written["name"], written.get("arguments", "{}"), written.get("id"))
    if isinstance(written, Mapping) and len(written) == 1:
        ((name, arguments),) = written.items()
        if isinstance(arguments, Mapping):
            return Call(str(name), json.dumps(arguments, ensure_ascii=False))
    raise ValueError(
        f"a call is any, hanging, {{tool: {{argument: value}}}} or {{name, arguments, id}}; seen: {written!r}"
    )


def fault(written: int | str | Mapping[str, Any]) -> Fault:
    if isinstance(written, int):
        return Fault(status=written)
    if isinstance(written, str):
        if written in LOSSES:
            return Fault(loss=written)  # type: ignore[arg-type]
        if written in BODIES:
            return Fault(body=BODIES[written])
        raise ValueError(f"fail: {written!r} is none of {', '.join((*LOSSES, *BODIES))}, nor a status")
    full = Failure.model_validate(dict(written))
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


def start_with(model: StartWishes, rollout: str = "") -> do.StartWith:
    written = dict(wishes(model))
    rollout_id = written.get("rollout_id")
    shape = written.pop("rollout_id") if isinstance(rollout_id, Mapping) else {}
    own = {
        "path": model.path,
        "scheme": model.scheme,
        "tokenizer": model.tokenizer,
        "metadata_bytes": model.metadata_bytes,
    }
    for name in (*own, "without", "raw"):
        written.pop(name, None)
    budget = written.get("max_tokens_total")
    if isinstance(budget, Mapping):
        del written["max_tokens_total"]
        own["budget"] = (int(budget["sampled"]), int(budget.get("plus", 0)))  # type: ignore[assignment]
    raw = model.raw.encode() if model.raw is not None else None
    wanted = Wanted(written, tuple(model.without), shape, raw=raw, **own)  # type: ignore[arg-type]
    return do.StartWith(wanted, rollout)


def _one(value: Any, key: str) -> dict[str, Any]:
    """`verb: x` is short for `verb: {key: x}`; no value at all is the verb's own default."""
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value is None or value is True else {key: value}


def _tuple(value: Any) -> tuple[Any, ...]:
    return (
        tuple(_tuple(item) if isinstance(item, list) else item for item in value)
        if isinstance(value, list)
        else (value,)
    )


def _ask(value: Any) -> do.Ask:
    given = dict(value)
    body = json.dumps(given["body"]).encode() if "body" in given else str(given.get("raw", "")).encode()
    headers = tuple((str(k).lower(), str(v)) for k, v in given.get("headers", {}).items())
    return do.Ask(given.get("method", "GET"), given["path"], body, headers, given.get("key"))


def _start_as(value: Any) -> do.StartAs:
    given = _one(value, "authorization")
    raw = given.pop("raw", None)
    return do.StartAs(**given, raw=raw.encode() if raw is not None else None)


def _cancel(value: Any) -> do.Cancel:
    given = _one(value, "rollouts") if value else {}
    if "rollouts" in given:
        given["rollouts"] = _tuple(given["rollouts"])
    if "raw" in given:
        given["raw"] = str(given["raw"]).encode()
    return do.Cancel(**given)


ACTIONS: Mapping[str, Callable[[Any], Action]] = {
    "start": lambda v: do.Start(**_one(v, "rollout")),
    "end": lambda v: do.End(**_one(v, "rollout")),
    "again": lambda v: do.Again(**_one(v, "times")),
    "reported": lambda v: do.Reported(**_one(v, "times")),
    "quiet": lambda v: do.Quiet(**_one(v, "for_s")),
    "wait_for_call": lambda v: do.CallArrives(**_one(v, "nth")),
    "release": lambda v: do.Release(str(v)),
    "get": lambda v: do.Ask("GET", str(v)),
    "ask": _ask,
    "start_as": _start_as,
    "cancel": _cancel,
    "status": lambda v: do.AskStatus(**_one(v, "rollout")),
    "stop_server": lambda v: do.StopServer(),
}


def _statuses(kind: Callable[..., Expectation]) -> Callable[[Any], Expectation]:
    def verb(value: Any) -> Expectation:
        given = _one(value, "statuses")
        if "statuses" in given:
            given["statuses"] = _tuple(given["statuses"])
        return kind(**given)

    return verb


def _amount(kind: Callable[..., Expectation]) -> Callable[[Any], Expectation]:
    def verb(value: Any) -> Expectation:
        return kind(value, value) if isinstance(value, int) else kind(**value)

    return verb


def _completed(value: Any) -> want.Completed:
    given = _one(value, "reasons")
    return want.Completed(_tuple(given.get("reasons", [])), given.get("rollout", ""))


def _failed(value: Any) -> want.Failed:
    given = _one(value, "categories")
    for name in ("categories", "not_categories"):
        given[name] = _tuple(given.get(name, []))
    return want.Failed(**given)


def _answered(value: Any) -> want.Answered:
    given = _one(value, "statuses")
    given["statuses"] = _tuple(given.get("statuses", []))
    return want.Answered(**given)


def _message(value: Any) -> want.FinalContains:
    return want.FinalContains(**value) if set(value) <= {"message", "rollout"} else want.FinalContains(value)


def _sent(value: Any) -> want.Sent:
    return want.Sent(**value) if set(value) <= {"fields", "rollout"} else want.Sent(value)


def _disposed(value: Any) -> want.Disposed:
    given = _one(value, "dispositions")
    given["dispositions"] = _tuple(given.get("dispositions", []))
    return want.Disposed(**given)


EXPECTATIONS: Mapping[str, Callable[[Any], Expectation]] = {
    "refused": _statuses(want.Refused),
    "last_refused": _statuses(want.LastRefused),
    "accepted": lambda v: want.Accepted(**_one(v, "rollout")),
    "completed": _completed,
    "failed": _failed,
    "ended": lambda v: want.Ended(**_one(v, "rollout")),
    "calls": _amount(want.Calls),
    "posts": _amount(want.Posts),
    "tool_results": lambda v: (
        want.ToolResults(_tuple(v)) if isinstance(v, list) else want.ToolResults(_tuple(v["values"]), v["rollout"])
    ),
    "tool_error_prefix": lambda v: want.ToolErrorPrefix(),
    "no_internals": lambda v: want.NoInternals(),
    "sent": _sent,
    "final_contains": _message,
    "final_roles": lambda v: (
        want.FinalRoles(_tuple(v)) if isinstance(v, list) else want.FinalRoles(_tuple(v["roles"]), v["rollout"])
    ),
    "answered": _answered,
    "start_header": lambda v: want.StartHeader(str(v)),
    "prompt": lambda v: want.Prompt(**_one(v, "within_s")),
    "ends_within": lambda v: want.EndsWithin(**_one(v, "limit")),
    "gives_up_calls": lambda v: want.GivesUpCalls(),
    "metrics_present": lambda v: want.MetricsPresent(),
    "at_most_together": lambda v: want.AtMostTogether(),
    "retry_delays": lambda v: want.RetryDelays(**_one(v, "least_s")),
    "retries_named": lambda v: want.RetriesNamed(),
    "active_returns": lambda v: want.ActiveReturns(**_one(v, "rises")),
    "standing": _statuses(want.Standing),
    "disposed": _disposed,
    "cancel_refused": lambda v: want.CancelRefused(),
    "ends": _statuses(want.Ends),
    "reply_names_it": lambda v: want.ReplyNames(),
    "same_outcome": lambda v: want.SameOutcome(),
    "shown_tools_run": lambda v: want.ShownToolsRun(),
    "refused_or_run": lambda v: want.RefusedOrRun(),
    "truncated_call_not_run": lambda v: want.TruncatedCallNotRun(),
    "start_shows_no_key": lambda v: want.StartShowsNoKey(),
}
