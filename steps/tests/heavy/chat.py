"""Chat completions, and what a router forwards of them."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from rollout_conformance.steps.engine.trace import Request, Response, Trace, parse
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.peers.scripted_backends import BackendScript
from rollout_conformance.steps.profiles.chat import view as chat
from rollout_conformance.steps.profiles.chat.assembled_stream import assembled
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.router.card import RouterCard
from rollout_conformance.steps.profiles.router.context import RouterContext
from rollout_conformance.steps.sse.streams import Chunk
from rollout_conformance.steps.tests import growth
from rollout_conformance.steps.tests.heavy.values import (
    ENTRY,
    EVENTS,
    IDS,
    QUESTION,
    SIGNS,
    TOKENS,
    View,
    calls,
    choice,
    completion,
    nested,
)


def asked(**more: Any) -> dict[str, Any]:
    wishes = {"max_tokens": 256, "temperature": 0, "logprobs": True, "return_token_ids": True}
    return {"model": "m", "messages": QUESTION, **wishes, **more}


def whole(body: Any, status: int = 200) -> ChatResponse:
    raw = json.dumps(body).encode()
    return ChatResponse("it", 0, asked(), status, parse(raw), raw=raw)


def streamed(data: list[Any]) -> ChatResponse:
    events = tuple(Chunk(n / 1000, one) for n, one in enumerate(data))
    return ChatResponse("it", 0, asked(stream=True), 200, assembled(events), events, headers=EVENTS)


def chunk(part: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [part]}


def an_error(sign: str, size: int) -> ChatResponse:
    return whole({"error": {"message": growth.run(sign, size)}}, 500)


def a_message(sign: str, size: int) -> ChatResponse:
    return whole(completion([choice({"content": growth.run(sign, size)})]))


def many_tokens(size: int) -> ChatResponse:
    entries = [ENTRY] * (size // 10)
    return whole(completion([choice({"content": "a"}, token_ids=[5] * len(entries), logprobs={"content": entries})]))


def chat_replies() -> Iterator[tuple[str, Callable[[int], ChatResponse]]]:
    for sign in SIGNS:
        yield f"an error of {sign}", partial(an_error, sign)
        yield f"a message of {sign}", partial(a_message, sign)
    yield "many tokens", many_tokens
    yield (
        "many calls",
        lambda size: whole(completion([choice({"tool_calls": calls(size // 1000)}, token_ids=[5] * 1000)])),
    )
    yield "many choices", lambda size: whole(completion([choice({"content": "a"})] * (size // 50)))
    yield "many members", lambda size: whole({f"m{n}": n for n in range(size // 20)})
    yield "nested", lambda size: whole(completion([choice({"content": nested(150)})] * (size // 10_000)))
    yield (
        "many chunks",
        lambda size: streamed(
            [chunk({"index": n % 1000, "delta": {"content": "ab"}, **IDS}) for n in range(size // 10)]
        ),
    )
    yield (
        "pieces of a call",
        lambda size: streamed(
            [
                chunk({"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "ab"}}]}})
                for _ in range(size // 10)
            ]
        ),
    )
    yield (
        "chunks that differ",
        lambda size: streamed([{**chunk({"index": 0, "delta": {}}), "id": f"{n}"} for n in range(size // 10)]),
    )


def chat_talk(reply: ChatResponse, context: chat.CaseContext, extra: dict[str, Any]) -> chat.CaseView:
    trace = Trace()
    n = trace.open(Request("POST", "/v1/chat/completions", (), json.dumps(reply.request).encode()), to_target=True)
    trace.close(n, Response(reply.status or 0, reply.headers, reply.raw))
    return chat.CaseView(trace, Responses.of([reply]), context, extra=extra)


def chat_views() -> Iterator[tuple[str, View]]:
    context = chat.CaseContext("m", "the-key-of-the-suite", TOKENS, ChatCard(), 4096)
    for name, made in chat_replies():

        def view(size: int, made: Callable[[int], ChatResponse] = made) -> chat.CaseView:
            return chat_talk(made(size), context, {})

        yield name, view


def router_views() -> Iterator[tuple[str, View]]:
    context = RouterContext("m", "the-key-of-the-suite", TOKENS, RouterCard(), 4096, ports=("40123",))
    for name, made in chat_replies():

        def view(size: int, made: Callable[[int], ChatResponse] = made) -> chat.CaseView:
            script = BackendScript("rc-00000000-1x", Trace())
            script.delivered += [
                completion([choice({"content": "a"})]),
                [chunk({"index": 0, "delta": {"content": "a"}}), "[DONE]"],
            ]
            return chat_talk(made(size), context, {"script": script})

        yield name, view
