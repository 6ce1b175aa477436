"""A generated request: it names a model that exists, leads to few tokens, and its response is judged like any other.

What is wrong with a request stays wrong. What no schema can say is made right: members that contradict each other, a text that has to be
JSON.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from rollout_conformance.contracts.chat import wire
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Request, Response, parse
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.chat.assembled_stream import assembled
from rollout_conformance.steps.profiles.chat.capabilities import imposed
from rollout_conformance.steps.profiles.chat.requests import CHAT
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.token_id_locations import with_ids_at
from rollout_conformance.steps.profiles.chat.view import CaseContext, ChatSession, ChatState
from rollout_conformance.steps.profiles.parts import FuzzAdapter
from rollout_conformance.steps.sse.parser import Parser
from rollout_conformance.steps.sse.streams import Chunk, event_data

MOST_TOKENS = 8  # of one generated response: enough to be cut, and to be streamed
MOST_CHOICES = 3
LIMITS = ("max_tokens", "max_completion_tokens")
SHOWN_BY = {
    "return_token_ids": "token_ids",
    "logprobs": "logprobs",
}  # the capability that a member of a request needs
GENERATED = "generated"  # the name of the response to a request that no case wrote
HELLO: Mapping[str, Any] = {"messages": [{"role": "user", "content": "Hello!"}]}


class Adapter(FuzzAdapter[ChatState, CaseContext]):
    """How the generated requests of this profile are adapted."""

    async def adapt_request(self, session: ChatSession, generated: Any) -> str | None:
        """Change a schemathesis case, whatever is right in it, so that a server can serve it."""
        context: CaseContext = session.context
        if generated.path == CHAT and isinstance(generated.body, dict):
            generated.body = adapted_body(context.model, generated.body)
        return None

    def may_be_accepted(self, card: Card, body: object) -> bool:
        """Whether all that is wrong with a request is in members that the target replaces by its own."""
        members = imposed(card.capabilities)
        if not isinstance(body, Mapping) or not members & body.keys():
            return False
        return is_request({name: value for name, value in body.items() if name not in members})

    async def ended(self, session: ChatSession, n: int, request: Request, response: Response, start: bool) -> None:
        """Note the response. To a request that the contract allows it is a completion, and what holds for completions holds for it."""
        await super().ended(session, n, request, response, start)
        body = parse(request.body) if request.path.partition("?")[0] == CHAT else None
        requested = _judged(session.context, body) if isinstance(body, dict) and is_request(body) else {}
        session.state["responses"] = Responses.of([generated_response(n, requested, response, session.context.ids_at)])


def adapted_body(model: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The request that is sent in place of `body`."""
    mine = dict(body)
    if model and allowed(mine, "model"):
        mine["model"] = model
    _brief(mine)
    _consistent(mine)
    if allowed(mine, "messages") and isinstance(mine.get("messages"), list):
        mine["messages"] = [_callable(message) for message in mine["messages"]]
    return mine


def _brief(mine: dict[str, Any]) -> None:
    """Nothing is generated for long."""
    for name in LIMITS:
        if mine.get(name) is not None and allowed(mine, name):
            mine[name] = min(mine[name], MOST_TOKENS)
    if all(mine.get(name) is None for name in LIMITS):
        mine["max_tokens"] = MOST_TOKENS
    if mine.get("n") is not None and allowed(mine, "n"):
        mine["n"] = min(mine["n"], MOST_CHOICES)


def _consistent(mine: dict[str, Any]) -> None:
    """What is right by itself is also right beside the rest."""
    if mine.get("n") is not None and mine["n"] != 1 and not _is_sampled(mine):
        _drop(mine, "n")
    if mine.get("logprobs") is not True:
        _drop(mine, "top_logprobs")
    if mine.get("stream") is not True:
        _drop(mine, "stream_options")
    if mine.get("tools") is None or not allowed(mine, "tools"):
        _drop(mine, "tool_choice")
    elif isinstance(mine.get("tool_choice"), dict) and allowed(mine, "tool_choice"):
        name = mine["tools"][0]["function"]["name"]
        mine["tool_choice"] = {**mine["tool_choice"], "function": {"name": name}}


def _is_sampled(mine: Mapping[str, Any]) -> bool:
    """Several greedy choices would be one; how small a temperature counts as none is left to the server."""
    heat = mine.get("temperature")
    return heat is None or not isinstance(heat, int | float) or heat > 0.01


def _drop(mine: dict[str, Any], name: str) -> None:
    if name in mine and allowed(mine, name):
        del mine[name]


def _callable(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message whose calls have arguments that are JSON: a text like any other to a schema."""
    calls = message.get("tool_calls")
    if not calls:
        return dict(message)
    return {**message, "tool_calls": [{**call, "function": _with_arguments(call["function"])} for call in calls]}


def _with_arguments(function: Mapping[str, Any]) -> dict[str, Any]:
    known = isinstance(parse(function["arguments"].encode("utf-8", "replace")), dict)
    return {**function, "arguments": function["arguments"] if known else json.dumps({"a": function["arguments"]})}


def allowed(body: Mapping[str, Any], name: str) -> bool:
    """Whether the contract allows what a body has for one member."""
    return name not in body or is_request({**HELLO, name: body[name]})


def is_request(body: object) -> bool:
    try:
        wire.ChatRequest.model_validate(body)
    except ValidationError:
        return False
    return True


def _judged(context: CaseContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """A request as the checks read it: what the server does not show at all, and its card does not declare, is not demanded of it."""
    shown = {name: value for name, value in body.items() if SHOWN_BY.get(name, "") in ("", *context.capabilities)}
    return {name: value for name, value in shown.items() if name not in context.imposed}


def generated_response(n: int, body: Mapping[str, Any], response: Response, ids_at: str | None = None) -> ChatResponse:
    """A response as the checks read it. No server gave the history: how it is tokenized is not for the suite to say (CHAT-025)."""
    streamed = response.status == 200 and bool(body.get("stream"))
    chunks = tuple(Chunk(0.0, event_data(one.data)) for one in Parser().feed(response.body)) if streamed else ()
    read = assembled(chunks, ids_at) if streamed else with_ids_at(parse(response.body), ids_at)
    return ChatResponse(
        GENERATED,
        n,
        body,
        response.status,
        read,
        chunks,
        raw=response.body,
        headers=response.headers,
        invented_history=True,
    )
