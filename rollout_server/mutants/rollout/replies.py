"""Defects of how the trainer's replies are read."""

import unicodedata
from dataclasses import replace
from typing import Any

import httpx

from rollout_conformance.rollout_server.common import http_client
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, SYNC
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.rollout import (
    errors,
    generation,
    tools,
)
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.generation import Reply
from rollout_conformance.rollout_server.rollout.tools import ToolError


def _lenient(original: Any, answer: Any, start: Any) -> Reply:
    try:
        return Reply(**{f: getattr(original(answer, start), f) for f in Reply.__slots__})
    except RolloutError as error:
        if error.category != "invalid_reply":
            raise
        return Reply({"role": "assistant", "content": ""}, (), "stop", 0, 0)


def _raw(when: Any) -> Any:
    """Fail on valid replies."""

    def check(original: Any, raw: Any, start: Any) -> Any:
        if isinstance(raw, dict) and when(raw):
            raise errors.internal()
        return original(raw, start)

    return around(generation, "check", check)


def _last_choice(original: Any, raw: Any, start: Any) -> Any:
    if isinstance(raw, dict) and isinstance(raw.get("choices"), list) and len(raw["choices"]) > 1:
        raw["choices"][0] = raw["choices"][-1]
    return original(raw, start)


def _message(raw: dict[str, Any]) -> dict[str, Any]:
    choices = raw.get("choices") or [{}]
    message = choices[0].get("message") if isinstance(choices[0], dict) else None
    return message if isinstance(message, dict) else {}


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


def _needs_content(original: Any, raw: Any, start: Any) -> Any:
    checked = original(raw, start)
    message = raw["choices"][0]["message"]
    if message.get("tool_calls") and "content" not in message:
        raise errors.invalid_reply("it has no content")
    return checked


def _only_objects(original: Any, arguments: Any) -> Any:
    if isinstance(arguments, str) and isinstance(original(arguments), dict):
        raise ToolError("arguments must be an object, not a text")
    return original(arguments)


MUTANTS = (
    Mutant(
        "null_calls",
        breaks="069",
        what="tool_calls null is an error",
        patch=_raw(lambda raw: "tool_calls" in _message(raw) and _message(raw)["tool_calls"] is None),
    ),
    Mutant(
        "null_content",
        breaks="070",
        also=("*",),
        what="null content beside tool calls is an error",
        patch=around(generation, "check", _refuses_null_content),
    ),
    Mutant(
        "absent_content",
        breaks="070",
        what="a message with calls and without the member content is an error",
        patch=around(generation, "check", _needs_content),
    ),
    Mutant(
        "objects_only",
        breaks="071",
        also=("*",),
        what="arguments in a string are rejected",
        patch=around(tools, "read_arguments", _only_objects),
    ),
    Mutant(
        "usage_null",
        breaks="072",
        what="usage null is an error",
        patch=_raw(lambda raw: "usage" in raw and raw["usage"] is None),
        dialects=CALLBACK,
    ),
    Mutant(
        "ids_always",
        breaks="073",
        what="token ids are required in the callback dialect",
        patch=_raw(lambda raw: "token_ids" not in raw),
        dialects=CALLBACK,
    ),
    Mutant(
        "ids_never",
        breaks="074",
        also=("075", "077", "062"),
        what="token ids are not required in the sync dialect",
        patch=around(generation, "check", lambda o, raw, start: o(raw, replace(start, dialect="callback"))),
        dialects=SYNC,
    ),
    Mutant(
        "anything_goes",
        breaks="076",
        also=("074", "075", "077", "123", "113", "116", "117", "130", "131", "119", "244"),
        what="an invalid reply is taken for an empty message",
        patch=around(generation, "read", _lenient),
    ),
    Mutant(
        "no_news",
        breaks="078",
        what="unknown members of a reply are an error",
        patch=_raw(lambda raw: "x_version" in raw),
    ),
    Mutant(
        "last_choice",
        breaks="079",
        also=("117",),
        what="the last choice is used",
        patch=around(generation, "check", _last_choice),
    ),
    Mutant(
        "no_drips",
        breaks="201",
        what="a reply in many chunks is an error",
        patch=put(http_client, "read_body", _no_patience_with_drips),
    ),
    Mutant(
        "composes",
        breaks="202",
        also=("117", "049"),
        what="text is normalized (NFKC)",
        patch=around(generation, "read", _composed),
        dialects=CALLBACK,
    ),
)
