"""How the lines of a trainer's script and its acknowledgements are written, and the values that they stand for."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.engine.verb_parsing import plain
from rollout_conformance.steps.engine.yaml_source import texts_for_numbers
from rollout_conformance.steps.peers.script import FOREVER, Ack, AnyCall, Call, Fault, HangingCall, Line, Reply
from rollout_conformance.steps.peers.trainer import fitting
from rollout_conformance.steps.profiles.rollout.case_model import Acknowledgement, Failure
from rollout_conformance.steps.profiles.rollout.case_model import Line as LineModel
from rollout_conformance.steps.profiles.rollout.start_request import PADDING

BODIES = {"not_json": b"<html>oops</html>", "empty": b"", "not_object": b"[]"}
LOSSES = ("reset", "stall", "cut")
CALL = "any, hanging, {tool: {argument: value}}, {name, arguments, id} or {name, arguments_text, id}"
SEVERAL = (
    "Several calls in one turn are `calls: [{add: {a: 5, b: 3}}, {divide: {a: 1, b: 0}}]` "
    "(in a feature: the policy calls these tools in one turn:)"
)
SAME_NAME = ("text", "reasoning", "finish", "message", "end_token", "lost", "drip", "close", "gzip", "digits", "hold")


def lines(model: LineModel) -> tuple[Line, ...]:
    """One line of the script, as often as it is repeated."""
    if model.fail is not None:
        return (fault(model.fail),)
    written = [model.call] if "call" in model.model_fields_set else model.calls or []
    reply = Reply(
        calls=tuple(tool_call(one, nth + 1) for nth, one in enumerate(written)),
        put={**model.put, **({PADDING: "p" * model.padding_bytes} if model.padding_bytes else {})},
        odd=model.non_canonical,
        drop=tuple(model.drop),
        delay_s=model.delay_s,
        content_type=model.content_type,
        **{name: getattr(model, name) for name in SAME_NAME},
    )
    fitting(reply)
    return (reply,) * model.repeat


def tool_call(written: object, nth: int) -> Call | AnyCall | HangingCall:
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
    """A call in full. The text of its arguments is sent byte for byte; `arguments` have to be a JSON object, `arguments_text` is any text."""
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
        _check_json_object(arguments)
    elif not isinstance(arguments, Mapping):
        raise ValueError(f"arguments are an object, or the text of one; seen: {arguments!r}")
    return Call(written["name"], arguments, written.get("id"))


def _check_json_object(text: str) -> None:
    """Raises `ValueError` for arguments that are no JSON object: a slip would otherwise be charged to the server."""
    hint = f'To send it nevertheless, write `arguments_text` (in a feature: with the text "..."). {SEVERAL}'
    try:
        value = json.loads(text, parse_constant=_reject_constant)
    except ValueError as error:
        raise ValueError(f"the arguments are not JSON ({error}): {text}. {hint}") from None
    if not isinstance(value, dict):
        raise ValueError(f"the arguments are no JSON object: {text}. {hint}")


def _reject_constant(name: str) -> None:
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
    for where, told in texts_for_numbers(Failure, written):
        raise ValueError(f"fail: {'.'.join(map(str, where))}: {told}")
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
