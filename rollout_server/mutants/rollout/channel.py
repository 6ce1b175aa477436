"""Defects of the way to the trainer and back: headers, redirects, retries, replies that come in an unusual shape."""

import asyncio
import contextvars
import json
import unicodedata
from typing import Any

import httpx

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.mutants.framework import BOTH, CALLBACK, Mutant, after, around, put
from rollout_conformance.rollout_server.rollout import agent, errors, generation, tools, trainer_client
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.generation import Reply
from rollout_conformance.rollout_server.rollout.tools import ToolError
from rollout_conformance.rollout_server.rollout.trainer_client import Answer, TrainerClient

_attempt = contextvars.ContextVar("attempt", default=1)  # the number of the newest attempt of a post


def _noting(original: Any, headers: Any, attempt: int) -> Any:
    _attempt.set(attempt)
    return original(headers, attempt)


async def _fails_late(original: Any, rollout: Any, request: Any, kit: Any) -> Any:
    answer = await original(rollout, request, kit)
    if _attempt.get() > 1 and answer.status == 200:
        raise errors.network()
    return answer


async def _runs_tools_again(original: Any, rollout: Any, request: Any, kit: Any) -> Any:
    answer = await original(rollout, request, kit)
    if _attempt.get() > 1:
        calls = [call for message in rollout.history for call in message.get("tool_calls") or []]
        await agent.run_tools(rollout, calls, kit)
    return answer


def _after_retries(change: Any) -> Any:
    def patch() -> None:
        around(trainer_client, "attempt_headers", _noting)()
        around(generation, "send", change)()

    return patch


async def _hedged(original: Any, rollout: Any, request: Any, kit: Any) -> Any:
    both = [asyncio.ensure_future(original(rollout, request, kit)) for _ in range(2)]
    answers = await asyncio.gather(*both, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, Answer):
            return answer
    raise answers[0] if isinstance(answers[0], RolloutError) else errors.internal()


async def _follows(change: Any, original: Any, self: Any, url: str, body: bytes, headers: Any, timeout_s: float) -> Any:
    """Ask as ever; where the answer names another place, ask there with `change(headers)`."""
    places: list[str] = []

    class Watching(httpx.AsyncBaseTransport):
        async def handle_async_request(_, request: httpx.Request) -> httpx.Response:  # noqa: N805
            response: httpx.Response = await self._transport.handle_async_request(request)
            if response.status_code in (301, 302, 303, 307, 308) and "location" in response.headers:
                places.append(response.headers["location"])
            return response

    watching = TrainerClient(Watching(), self._max_reply_bytes)
    answer = await original(watching, url, body, headers, timeout_s)
    return await original(self, places[0], body, change(headers), timeout_s) if places else answer


def follow_redirects(change: Any = dict) -> None:
    original = TrainerClient.attempt
    put(TrainerClient, "attempt", lambda *arguments: _follows(change, original, *arguments))()


def without_key(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "authorization"}


async def _no_patience_with_drips(response: httpx.Response, limit: int) -> bytes:
    parts = [part async for part in response.aiter_bytes()]
    if len(parts) > 20 and len(parts[0]) < 200:
        raise errors.invalid_reply("it came in too many parts")
    return b"".join(parts)


def _composed(original: Any, answer: Any, start: Any) -> Reply:
    reply = original(answer, start)
    message = dict(reply.message)
    if isinstance(message.get("content"), str):
        message["content"] = unicodedata.normalize("NFKC", message["content"])
    return Reply(message, reply.calls, reply.finish_reason, reply.prompt_tokens, reply.sampled_tokens)


def _refuses_null_content(original: Any, raw: Any, start: Any) -> Any:
    checked = original(raw, start)
    message = raw["choices"][0]["message"]
    if message.get("tool_calls") and message.get("content") is None:
        raise errors.invalid_reply("its content is null")
    return checked


def _lost_in_long_names(original: Any, raw: Any, start: Any) -> Any:
    message = ((raw.get("choices") or [{}])[0] or {}).get("message") if isinstance(raw, dict) else None
    for call in (message or {}).get("tool_calls") or []:
        if not 0 < len(str(call.get("id", ""))) <= 256 or not 0 < len(str(call["function"].get("name", ""))) <= 256:
            raise asyncio.CancelledError
    return original(raw, start)


def _only_objects(original: Any, arguments: Any) -> Any:
    if isinstance(arguments, str) and isinstance(original(arguments), dict):
        raise ToolError("arguments must be an object, not a text")
    return original(arguments)


async def _shrugs(original: Any, rollout: Any, kit: Any) -> str:
    try:
        return str(await original(rollout, kit))
    except RolloutError as error:
        if error.category == "trainer_server_error":
            return "stop"
        raise


def _not_finite(original: Any, value: Any) -> bytes:
    if isinstance(value, dict) and "metrics" in value and "status" in value:
        return json.dumps({**value, "extra_fields": {**value["extra_fields"], "score": float("nan")}}).encode()
    return bytes(original(value))


MUTANTS = (
    Mutant(
        "plain_text",
        "045",
        "calls are sent as text",
        after(trainer_client, "headers", lambda headers: {**headers, "content-type": "text/plain"}),
    ),
    Mutant("hedges", "063", "each call is made twice at once", around(generation, "send", _hedged), CALLBACK, ("*",)),
    Mutant("follows", "066", "a redirect is followed with the key", follow_redirects, BOTH, ("067",)),
    Mutant(
        "null_content",
        "070",
        "null content beside calls fails",
        around(generation, "check", _refuses_null_content),
        BOTH,
        ("*",),
    ),
    Mutant(
        "objects_only",
        "071",
        "arguments in a string are refused",
        around(tools, "read_arguments", _only_objects),
        BOTH,
        ("*",),
    ),
    Mutant(
        "fails_late",
        "087",
        "a retry that succeeds is a failure",
        _after_retries(_fails_late),
        CALLBACK,
        ("084", "085", "111"),
    ),
    Mutant(
        "shrugs",
        "088",
        "a trainer that stays down is a natural end",
        around(agent, "run", _shrugs),
        BOTH,
        ("084", "089", "119"),
    ),
    Mutant(
        "lost_in_names",
        "106",
        "an empty name loses the rollout",
        around(generation, "check", _lost_in_long_names),
        BOTH,
        ("125", "136"),
    ),
    Mutant("tools_again", "111", "a retry runs the tools again", _after_retries(_runs_tools_again), CALLBACK),
    Mutant("not_finite", "133", "a result has a NaN", around(json_text, "dumps", _not_finite)),
    Mutant(
        "no_drips", "201", "a reply in many parts fails", put(trainer_client, "read_capped", _no_patience_with_drips)
    ),
    Mutant("composes", "202", "text is normalised", around(generation, "read", _composed), CALLBACK, ("117",)),
)
