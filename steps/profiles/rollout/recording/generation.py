"""A response of a real trainer as a line of a script."""

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from rollout_conformance.steps.engine.lenient_json import JSON, mapping, mappings
from rollout_conformance.steps.engine.trace import NotJson, parse
from rollout_conformance.steps.peers.reverse_proxy import LEFT, Passed
from rollout_conformance.steps.profiles.chat.assembled_stream import whole_of
from rollout_conformance.steps.profiles.rollout.mistakes import NEVER

Line = dict[str, Any]
KEPT_HEADERS = ("retry-after",)
OWN_MEMBERS = ("role", "content", "tool_calls", "reasoning_content")
MOST_BODY = 2000  # characters of a body that is no generation


def line(passed: Passed) -> Line:
    """What the trainer answered, as a case writes it."""
    response = passed.response
    if passed.fault == LEFT:
        return {"text": "The server did not wait for this.", "hold": NEVER}
    if response is None:
        return {"fail": "reset"}
    if passed.fault is not None:
        return {"fail": "cut"}
    if response.status != 200:
        return {"fail": _failure(response.status, response.headers)}
    body = whole_of(response)
    choice = next(iter(mappings(mapping(body).get("choices"))), None)
    message = choice.get("message") if choice else None
    if choice is None or not isinstance(message, Mapping):
        return {"fail": {"body": response.body.decode("utf-8", "backslashreplace")[:MOST_BODY]}}
    return _reply(message, choice.get("finish_reason"))


def together(lines: Iterable[Line]) -> list[Line]:
    """The same script, with equal failures in a row written as one."""
    found: list[Line] = []
    for one, equal in groupby(lines):
        times = len(list(equal))
        found += [{"fail": _times(one["fail"], times)}] if "fail" in one and times > 1 else [one] * times
    return found


def _times(failure: int | str | Line, times: int) -> Line:
    full = (
        {"status": failure} if isinstance(failure, int) else {"loss": failure} if isinstance(failure, str) else failure
    )
    return {**full, "times": times}


def _failure(status: int, headers: tuple[tuple[str, str], ...]) -> int | Line:
    kept = {name: value for name, value in headers if name in KEPT_HEADERS}
    return {"status": status, "headers": kept} if kept else status


def _reply(message: Mapping[str, Any], finish: object) -> Line:
    calls = mappings(message.get("tool_calls"))
    written: Line = {}
    if message.get("content") is not None or not calls:
        content = message.get("content")
        written["text"] = content if isinstance(content, str) else None
    if len(calls) == 1:
        written["call"] = _call(calls[0])
    elif calls:
        written["calls"] = [_call(one) for one in calls]
    if isinstance(message.get("reasoning_content"), str):
        written["reasoning"] = message["reasoning_content"]
    others = {name: value for name, value in message.items() if name not in OWN_MEMBERS and value is not None}
    if isinstance(message.get("content"), list | dict):
        others["content"] = message["content"]
    if others:
        written["message"] = others
    if isinstance(finish, str) and finish != ("tool_calls" if calls else "stop"):
        written["finish"] = finish
    return written


def _call(call: Mapping[str, Any]) -> JSON:
    """A call in the shortest form that is sent byte for byte as it was."""
    function = mapping(call.get("function"))
    name, arguments = str(function.get("name")), function.get("arguments")
    if not isinstance(arguments, str):
        return {"name": name, "arguments": mapping(arguments)}
    value = parse(arguments.encode("utf-8", "surrogatepass"))
    plain = isinstance(value, dict) and not isinstance(value, NotJson) and name != "name"
    if plain and json.dumps(value, ensure_ascii=False) == arguments:
        return {name: value}
    return {"name": name, "arguments_text": arguments}
