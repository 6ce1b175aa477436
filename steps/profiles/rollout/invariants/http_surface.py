"""What the server shows of itself: health, and its tools."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.steps.engine import json_schema
from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.lenient_json import JsonObject, text
from rollout_conformance.steps.profiles.rollout.invariants.common import broken, satisfied, show
from rollout_conformance.steps.profiles.rollout.view import Answer, CaseView

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
OPTIONAL = ("description", "enum", "parameters", "strict", "items", "required", "properties")
VALUES = ("default", "const", "enum", "examples")  # what stands below them is data, and null is a value of it


def surface(view: CaseView) -> Iterator[Evidence]:
    for answer in view.others:
        path = answer.exchange.request.path.partition("?")[0]
        if answer.exchange.request.method == "GET" and path == "/health":
            if answer.status is not None or not view.rollouts:  # silence while rollouts run is ROLLOUT-004
                yield _health(view, answer)
        elif answer.exchange.request.method == "GET" and path == "/tools" and view.dialect == "sync":
            yield from _listing(answer)
    yield from _stable(view)
    yield from _busy(view)
    if view.dialect == "callback":
        for rollout in view.rollouts.values():
            for start in rollout.starts:
                if start.status is not None and 200 <= start.status < 300:
                    yield from _tools(start, start.fields.get("tools"))
                    yield from _nulls(start)


def _busy(view: CaseView) -> Iterator[Evidence]:
    """Who is sent away for now is told for how long."""
    for start in (start for rollout in view.rollouts.values() for start in rollout.starts if start.status == 429):
        if start.exchange.response is not None and not start.exchange.response.header("retry-after"):
            yield broken("161", "429 with Retry-After", "429 without Retry-After", start.n)


def _health(view: CaseView, answer: Answer) -> Evidence:
    requirement, status = (
        ("001", answer.fields.get("status")) if view.dialect == "sync" else ("002", answer.fields.get("status"))
    )
    good = status == "healthy" if view.dialect == "sync" else isinstance(status, str) and status != ""
    if answer.status == 200 and good:
        return satisfied(requirement)
    expected = '200 with status "healthy"' if view.dialect == "sync" else "200 with a status, without credentials"
    return broken(requirement, expected, f"{answer.status or answer.exchange.fault}: {show(answer.body)}", answer.n)


def _listing(answer: Answer) -> Iterator[Evidence]:
    tools = answer.fields.get("tools")
    if answer.status != 200 or not isinstance(tools, list):
        yield broken("005", "200 with a list under tools", f"{answer.status}: {show(answer.body)}", answer.n)
        return
    names = [_function(tool).get("name") for tool in tools]
    wrong = [
        tool
        for tool in tools
        if not isinstance(tool, dict) or tool.get("type") != "function" or not text(_function(tool).get("name"))
    ]
    if wrong:
        yield broken("005", 'entries with type "function" and a function.name', show(wrong[0]), answer.n)
    elif len(set(names)) < len(names):
        yield broken("005", "every name once", f"names {show(names)}", answer.n)
    else:
        yield satisfied("005")
    yield from _tools(answer, tools)


def _stable(view: CaseView) -> Iterator[Evidence]:
    listings = [a for a in view.others if a.exchange.request.path == "/tools" and a.status == 200]
    if view.dialect != "sync" or len(listings) < 2:
        return
    if all(listing.body == listings[0].body for listing in listings[1:]):
        yield satisfied("006")
    else:
        yield broken("006", "the same tools in every answer", "two different lists", *(a.n for a in listings[:2]))


def _tools(answer: Answer, tools: object) -> Iterator[Evidence]:
    if not isinstance(tools, list):
        yield broken("009", "a list under tools", f"tools: {show(tools)}", answer.n)
        return
    for tool in tools:
        name, parameters = _function(tool).get("name"), _function(tool).get("parameters")
        if isinstance(name, str) and NAME.fullmatch(name):
            yield satisfied("013")
        else:
            yield broken("013", "a plain name", f"name: {show(name)}", answer.n)
        if parameters is not None:
            problem = schema_problem(parameters)
            yield (
                broken("011", "parameters: a valid object schema", f"{name}: {problem}", answer.n)
                if problem
                else satisfied("011")
            )


def schema_problem(parameters: object) -> str | None:
    """What is wrong with the parameter schema of a tool."""
    if not isinstance(parameters, Mapping) or parameters.get("type") != "object":
        return f"type is {show(parameters.get('type') if isinstance(parameters, Mapping) else parameters)}, not object"
    properties = parameters.get(
        "properties", {}
    )  # JSON Schema 2020-12, core 10.3.2.1: leaving it out is an empty object
    if not isinstance(properties, Mapping):
        return f"properties is {show(properties)}, not an object"
    required = parameters.get("required") or []
    unknown = [required]
    if isinstance(required, list):
        unknown = [name for name in required if not isinstance(name, str) or name not in properties]
    if unknown:
        return f"required names {show(unknown)}, which properties lacks"
    cleaned = _without_nulls(parameters)  # a null member has a requirement of its own
    why = json_schema.schema_problem(cleaned)
    return f"not a JSON Schema: {why}" if why else None


def _without_nulls(value: object) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


def _nulls(start: Answer) -> Iterator[Evidence]:
    found = next(_null_members(start.fields.get("tools"), "tools"), None)
    if found:
        yield broken("010", "absent optional members", f"{found}: null", start.n)
    else:
        yield satisfied("010")


def _null_members(value: object, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for n, item in enumerate(value):
            yield from _null_members(item, f"{path}[{n}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if item is None and key in OPTIONAL:
                yield f"{path}.{key}"
            if key not in VALUES:
                yield from _null_members(item, f"{path}.{key}")


def _function(tool: object) -> JsonObject:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    return function if isinstance(function, Mapping) else {}
