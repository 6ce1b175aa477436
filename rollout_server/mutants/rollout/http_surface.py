"""Defects of the HTTP surface: health, tools, status codes, unknown paths."""

import asyncio
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from rollout_conformance.rollout_server.common import request_parsing
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, SYNC
from rollout_conformance.rollout_server.mutants.framework import FUZZING, Mutant, after, around, put
from rollout_conformance.rollout_server.rollout import (
    app,
    endpoints,
    request_reader,
    service,
    start_request,
    tools,
)


async def _busy_health(self: Any, request: Any) -> Response:
    service = endpoints.service_of(request)
    if service.active:
        await asyncio.sleep(3)
    return json_response(endpoints.health(service))


def _any_path() -> None:
    app.ROUTES.append(Route("/{rest:path}", endpoints.Health))


def _tools_in_turns() -> None:
    original, turn = tools.Toolbox.describe, [0]

    def describe(box: Any) -> Any:
        turn[0] += 1
        return list(reversed(original(box))) if turn[0] % 2 else original(box)

    setattr(tools.Toolbox, "describe", describe)  # noqa: B010 - mypy forbids the plain assignment to a method


def described(change: Any) -> Any:
    return after(tools.Tool, "describe", lambda tool: {**tool, "function": change(dict(tool["function"]))})


async def _platform(self: Any, request: Any) -> Response:
    return json_response({"status": "healthy"})


async def _init_200(self: Any, request: Any) -> Response:
    own = endpoints.service_of(request)
    asked = await request_reader.read_start(request, own.app_state.settings, start_request.from_callback)
    return json_response(endpoints.or_rejection(lambda: own.accept(asked)), 200)


def _trips_over_roles(original: Any, value: Any, build: Any) -> Any:
    for message in value.get("messages") or () if isinstance(value, dict) else ():
        if isinstance(message, dict) and isinstance(message.get("role"), dict):
            raise RuntimeError("planted")
    return original(value, build)


MUTANTS = (
    Mutant(
        "health_word",
        breaks="001",
        what="the status of health is ok",
        patch=after(endpoints, "health", lambda h: {**h, "status": "ok"}),
        dialects=SYNC,
    ),
    Mutant(
        "health_empty",
        breaks="002",
        also=("003",),
        what="health has no status",
        patch=after(endpoints, "health", lambda h: {}),
        dialects=CALLBACK,
    ),
    Mutant(
        "busy_health", breaks="004", what="health waits for rollouts", patch=put(endpoints.Health, "get", _busy_health)
    ),
    Mutant(
        "tools_untyped",
        breaks="005",
        what="tools have no type",
        patch=after(tools.Tool, "describe", lambda t: {"function": t["function"]}),
        dialects=SYNC,
    ),
    Mutant("tools_in_turns", breaks="006", what="the order of the tools changes", patch=_tools_in_turns, dialects=SYNC),
    Mutant(
        "init_200",
        breaks="007",
        what="an accepted init is answered with 200",
        patch=put(endpoints.CallbackInit, "post", _init_200),
        dialects=CALLBACK,
    ),
    Mutant(
        "init_id_upper",
        breaks="008",
        what="the 202 changes the id",
        patch=after(service, "init_reply", lambda r: {**r, "rollout_id": r["rollout_id"].upper()}),
        dialects=CALLBACK,
    ),
    Mutant(
        "tool_not_shown",
        breaks="009",
        what="divide can be called and is not listed",
        patch=after(service, "init_reply", lambda r: {**r, "tools": r["tools"][:3]}),
        dialects=CALLBACK,
    ),
    Mutant(
        "tool_nulls",
        breaks="010",
        what="absent members of tools are null",
        patch=described(lambda f: {**f, "parameters": {**f["parameters"], "enum": None}}),
        dialects=CALLBACK,
    ),
    Mutant(
        "schema_untyped",
        breaks="011",
        what="the parameters require a property that they do not have",
        patch=described(lambda f: {**f, "parameters": {**f["parameters"], "required": ["z"]}}),
    ),
    Mutant("unknown_path_200", breaks="014", what="unknown paths are answered with 200", patch=_any_path),
    Mutant(
        "platform_open",
        breaks="015",
        what="the platform health needs no key",
        patch=put(endpoints.PlatformHealth, "get", _platform),
        dialects=CALLBACK,
    ),
    Mutant(
        "counts_in_words",
        breaks="300",
        what="health has its count as a string",
        patch=after(endpoints, "health", lambda h: {**h, "active_rollouts": str(h.get("active_rollouts", 0))}),
        dialects=CALLBACK,
        by=FUZZING,
    ),
    Mutant(
        "trips_over_roles",
        breaks="303",
        what="a role that is an object is a 500",
        patch=around(request_parsing, "validate", _trips_over_roles),
        by=FUZZING,
    ),
)
