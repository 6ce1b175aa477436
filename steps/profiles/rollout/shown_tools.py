"""The tools that a target shows: at /tools, in the response to a start request, or in its first generation request."""

import asyncio
import contextlib
from collections.abc import Mapping

import httpx

from rollout_conformance.steps.engine.http_client import client
from rollout_conformance.steps.engine.lenient_json import JSON, JsonObject, mapping, mappings
from rollout_conformance.steps.engine.trace import Trace, parse

RESPONSE_S = 5.0

Tools = dict[str, JsonObject]
"""The definitions of tools, by their names."""


async def listed(base_url: str, authorization: Mapping[str, str], headers: Mapping[str, str]) -> Tools:
    """What /tools lists; nothing when it does not respond, which a case will report."""
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with client(headers=headers) as http, asyncio.timeout(RESPONSE_S):
            return _tools((await http.get(f"{base_url}/tools", headers=authorization)).content)
    return {}


def in_start_response(greeting: Trace) -> Tools:
    """The tools in the response to the start request of a greeting."""
    starts = [e.response for e in greeting.exchanges if e.to_target and e.response is not None]
    return _tools(starts[-1].body) if starts else {}


def in_generation_request(greeting: Trace) -> Tools:
    """The tools of the first generation request of a greeting: what the server lets the model choose from."""
    calls = [e for e in greeting.exchanges if not e.to_target and e.request.path.endswith("/chat/completions")]
    return _tools(calls[0].request.body) if calls else {}


def _tools(body: bytes) -> Tools:
    found = mappings(mapping(parse(body)).get("tools"))
    return {_name(tool["function"]): tool for tool in found if isinstance(tool.get("function"), Mapping)}


def _name(function: JSON) -> str:
    return str(mapping(function).get("name", ""))
