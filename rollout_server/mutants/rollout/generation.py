"""Defects of generation requests."""

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import httpx

from rollout_conformance.rollout_server.common.http_client import HttpResponse
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, LEASED, ROUTED
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put
from rollout_conformance.rollout_server.mutants.rollout.patches import change_request, set_members
from rollout_conformance.rollout_server.rollout import (
    agent,
    errors,
    generation,
    trainer_client,
)
from rollout_conformance.rollout_server.rollout.errors import RolloutError
from rollout_conformance.rollout_server.rollout.trainer_client import TrainerClient


def _tail(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    return {**body, "messages": body["messages"][-2:]}


def _rewritten(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    if rollout.counters.llm_calls:
        body["messages"][0]["content"] = "Earlier turns were shortened."
    return body


def _emptied(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    """Arguments that are no JSON become an empty object in the history."""
    for message in body["messages"]:
        for call in message.get("tool_calls") or []:
            arguments = call.get("function", {}).get("arguments")
            try:
                json.loads(arguments if isinstance(arguments, str) else "{}")
            except ValueError:
                call["function"]["arguments"] = "{}"
    return body


def _respaced(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    for message in body["messages"]:
        for call in message.get("tool_calls") or []:
            if isinstance(call.get("function", {}).get("arguments"), str):
                try:
                    call["function"]["arguments"] = json.dumps(json.loads(call["function"]["arguments"]))
                except ValueError:
                    continue
    return body


def _as_doubles(value: Any) -> Any:
    """The value as a parser reads it whose only numbers are doubles, such as that of JavaScript."""
    if isinstance(value, dict):
        return {name: _as_doubles(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_as_doubles(item) for item in value]
    return int(float(value)) if isinstance(value, int) and abs(value) > 2**53 else value


def _numbers_as_doubles(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    body["messages"] = [_as_doubles(m) if m.get("role") == "assistant" else m for m in body["messages"]]
    return body


HALF = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
"""An escaped half of a character that the other half does not stand beside."""


def _whole_characters(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    for call in (call for message in body["messages"] for call in message.get("tool_calls") or ()):
        function = call["function"]
        if isinstance(function["arguments"], str):
            function["arguments"] = HALF.sub("\N{REPLACEMENT CHARACTER}", function["arguments"])
    return body


def _no_reasoning(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    for message in body["messages"]:
        message.pop("reasoning_content", None)
    return body


def _no_text_beside_calls(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    for message in body["messages"]:
        if message.get("tool_calls"):
            message["content"] = None
    return body


def _each_assistant_text(change: Any) -> Any:
    """Change the texts of the assistant messages in the history."""

    def changed(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
        for message in body["messages"]:
            if message.get("role") == "assistant" and isinstance(message.get("content"), str):
                message["content"] = change(message["content"])
        return body

    return change_request(changed)


def _each_call(change: Any) -> Any:
    def changed(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
        for message in body["messages"]:
            for call in message.get("tool_calls") or []:
                change(call)
        return body

    return change_request(changed)


def _only_known_members(call: dict[str, Any]) -> None:
    """What a model with the members of the API drops."""
    for name in set(call) - {"id", "type", "function"}:
        del call[name]
    for name in set(call.get("function", {})) - {"name", "arguments"}:
        del call["function"][name]


def _escaped(call: dict[str, Any]) -> None:
    text = call.get("function", {}).get("arguments")
    if isinstance(text, str) and not text.isascii():
        call["function"]["arguments"] = json.dumps(json.loads(text))


def _short_id(call: dict[str, Any]) -> None:
    call["id"] = str(call["id"])[:40]


def _one_prompt(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    """Messages of the user that follow each other become one."""
    merged: list[dict[str, Any]] = []
    for message in body["messages"]:
        texts = [one.get("content") for one in (*merged[-1:], message) if one.get("role") == "user"]
        if len(texts) == 2 and all(isinstance(text, str) for text in texts):
            merged[-1] = {**merged[-1], "content": "\n".join(map(str, texts))}
        else:
            merged.append(message)
    return {**body, "messages": merged}


def _greeting(body: dict[str, Any], rollout: Any) -> dict[str, Any]:
    return {**body, "messages": [{"role": "system", "content": "Think."}, *body["messages"]]}


def _without(*names: str) -> Any:
    return lambda body, rollout: {k: v for k, v in body.items() if k not in names}


async def _one_more(original: Any, rollout: Any, app_state: Any) -> str:
    rollout.start = replace(rollout.start, max_turns=rollout.start.max_turns + 1)
    return str(await original(rollout, app_state))


async def _late(original: Any, rollout: Any, app_state: Any) -> str:
    reason = str(await original(rollout, app_state))
    prompt = await generation.prompt_length(rollout, app_state) if rollout.start.dialect == "sync" else 0
    rollout.last = None

    async def again() -> None:
        await asyncio.sleep(0.08)
        await generation.send(rollout, generation.chat_body(rollout, prompt), app_state)

    _kept.append(asyncio.ensure_future(again()))
    return reason


_kept: list[Any] = []


async def _hedged(original: Any, rollout: Any, request: Any, app_state: Any) -> Any:
    both = [asyncio.ensure_future(original(rollout, request, app_state)) for _ in range(2)]
    answers = await asyncio.gather(*both, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, HttpResponse):
            return answer
    raise answers[0] if isinstance(answers[0], RolloutError) else errors.internal()


async def _follows(change: Any, original: Any, self: Any, url: str, body: bytes, headers: Any, timeout_s: float) -> Any:
    """Send the request; after a redirect send it to the new URL, with `change(headers)`."""
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


MUTANTS = (
    Mutant(
        "plain_text",
        breaks="045",
        what="generation requests have the content type text/plain",
        patch=after(trainer_client, "headers", lambda headers: {**headers, "content-type": "text/plain"}),
    ),
    Mutant(
        "no_id",
        breaks="046",
        what="generation requests carry no rollout_id",
        patch=change_request(_without("rollout_id")),
    ),
    Mutant(
        "tail_only",
        breaks="047",
        also=(
            "112",
            "050",
            "093",
            "117",
            "118",
            "104",
            "095",
            "109",
            "048",
            "049",
            "113",
            "097",
            "098",
            "099",
            "100",
            "101",
            "102",
            "081",
            "105",
            "115",
        ),
        what="only the last two messages are sent",
        patch=change_request(_tail),
        dialects=CALLBACK,
    ),
    Mutant(
        "past_rewritten",
        breaks="048",
        also=("117",),
        what="the first message changes in later turns",
        patch=change_request(_rewritten),
        dialects=CALLBACK,
    ),
    Mutant(
        "respaced",
        breaks="049",
        what="arguments are parsed and serialized again",
        patch=change_request(_respaced),
        dialects=CALLBACK,
    ),
    Mutant(
        "broken_arguments_emptied",
        breaks="049",
        what="arguments that are no JSON become an empty object in the history",
        patch=change_request(_emptied),
        dialects=CALLBACK,
    ),
    Mutant(
        "numbers_as_doubles",
        breaks="049",
        what="integers of a generation that no double can hold are rounded",
        patch=change_request(_numbers_as_doubles),
        dialects=CALLBACK,
    ),
    Mutant(
        "halves_replaced",
        breaks="049",
        what="an escaped half of a character in the arguments of earlier calls becomes U+FFFD",
        patch=change_request(_whole_characters),
        dialects=(*CALLBACK, *ROUTED, *LEASED),
    ),
    Mutant(
        "reasoning_lost",
        breaks="049",
        what="reasoning is dropped from the history",
        patch=change_request(_no_reasoning),
        dialects=CALLBACK,
    ),
    Mutant(
        "line_ends_changed",
        breaks="049",
        what="carriage returns in the text of a generation become newlines",
        patch=_each_assistant_text(lambda text: text.replace("\r\n", "\n").replace("\r", "\n")),
        dialects=CALLBACK,
    ),
    Mutant(
        "think_marks_cut",
        breaks="049",
        what="what stands between the marks <think> and </think> is cut out of the text of a generation",
        patch=_each_assistant_text(lambda text: re.sub(r"<think>.*?</think>\s*", "", text, flags=re.DOTALL)),
        dialects=CALLBACK,
    ),
    Mutant(
        "call_members_lost",
        breaks="049",
        what="unknown members of tool calls are dropped from the history",
        patch=_each_call(_only_known_members),
        dialects=CALLBACK,
    ),
    Mutant(
        "arguments_escaped",
        breaks="049",
        what="arguments that are not ASCII are serialized again with escapes",
        patch=_each_call(_escaped),
        dialects=CALLBACK,
    ),
    Mutant(
        "call_ids_cut",
        breaks="049",
        also=("094",),
        what="tool call ids are cut to 40 characters",
        patch=_each_call(_short_id),
        dialects=CALLBACK,
    ),
    Mutant(
        "user_messages_merged",
        breaks="050",
        also=("048", "117", "118"),
        what="messages of the user that follow each other are merged",
        patch=change_request(_one_prompt),
        dialects=CALLBACK,
    ),
    Mutant(
        "text_beside_calls_lost",
        breaks="049",
        what="the text of a message with calls is dropped from the history",
        patch=change_request(_no_text_beside_calls),
        dialects=CALLBACK,
    ),
    Mutant(
        "greeting",
        breaks="050",
        also=("117", "115", "118"),
        what="a system message is added",
        patch=change_request(_greeting),
        dialects=CALLBACK,
    ),
    Mutant(
        "cool",
        breaks="051",
        also=("034",),
        what="the temperature is always 1",
        patch=change_request(set_members(temperature=1.0)),
    ),
    Mutant(
        "limit_not_sent",
        breaks="051",
        also=("034",),
        what="max_tokens is missing in generation requests",
        patch=change_request(_without("max_tokens")),
    ),
    Mutant(
        "no_logprobs",
        breaks="052",
        what="logprobs are not requested by default",
        patch=put(generation, "DEFAULTS", {"temperature": 1.0, "top_p": 1.0, "max_tokens": 512}),
    ),
    Mutant("streams", breaks="053", what="a stream is requested", patch=change_request(set_members(stream=True))),
    Mutant(
        "hedges",
        breaks="063",
        also=("*",),
        what="each generation request is sent twice at once",
        patch=around(generation, "send", _hedged),
        dialects=CALLBACK,
    ),
    Mutant(
        "asks_late",
        breaks="064",
        also=("*",),
        what="a generation request after the end",
        patch=around(agent, "run", _late),
        dialects=CALLBACK,
    ),
    Mutant(
        "one_more_turn",
        breaks="065",
        also=("113", "033", "084"),
        what="one turn too many",
        patch=around(agent, "run", _one_more),
    ),
    Mutant("follows", breaks="066", also=("067",), what="a redirect is followed with the key", patch=follow_redirects),
)
