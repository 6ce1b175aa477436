"""Requests, completions and streams of a chat server that does everything right, and what the invariants find in others."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rollout_conformance.steps.engine.findings import Finding, Satisfied
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import calculator, tokens
from rollout_conformance.steps.peers.token_oracle import completion_text
from rollout_conformance.steps.profiles.chat.assembled_stream import assembled
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.profile import PROFILE
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseContext, CaseView
from rollout_conformance.steps.sse.streams import DONE, Chunk

TOKENS = tokens.load(TOKENIZER)
QUESTION = [{"role": "user", "content": "Please calculate 5 plus 3."}]
TOOLS = [calculator.tool("add")]
CALL = {"id": "call-1", "type": "function", "function": {"name": "add", "arguments": '{"a": 5, "b": 3}'}}
BENCH = CaseContext("m", "the-key-of-the-suite", TOKENS, ChatCard(), 4096)
Change = Callable[[Any], Any]


def body(message: dict[str, Any], finish: str, tools: Any = ()) -> dict[str, Any]:
    """A whole reply as a correct engine gives it: every id, logprob and count belongs to the message."""
    message = {"role": "assistant", **message}
    prompt = TOKENS.prompt_ids(QUESTION, tools)
    ids = TOKENS.encode(completion_text(TOKENS, QUESTION, message, tools))
    entries: list[dict[str, Any]] = [
        {"token": TOKENS.decode([one]), "logprob": -0.5, "bytes": None, "top_logprobs": []} for one in ids
    ]
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [{**choice, "logprobs": {"content": entries}, "token_ids": ids}],
        "prompt_token_ids": prompt,
        "usage": {
            "prompt_tokens": len(prompt),
            "completion_tokens": len(ids),
            "total_tokens": len(prompt) + len(ids),
        },
    }


def said() -> dict[str, Any]:
    return body({"content": "Five plus three is 8."}, "stop")


def called() -> dict[str, Any]:
    return body({"content": None, "tool_calls": [CALL]}, "tool_calls", TOOLS)


def asked(**more: Any) -> dict[str, Any]:
    wishes = {"max_tokens": 256, "temperature": 0, "logprobs": True, "return_token_ids": True}
    return {"model": "m", "messages": QUESTION, **wishes, **more}


def chunks() -> list[Any]:
    """The same answer as a stream: the role, two pieces, the end."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m"}
    deltas: list[tuple[dict[str, str], str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        ({"content": "Five plus"}, None),
    ]
    deltas += [({"content": " three is 8."}, None), ({}, "stop")]
    return [
        *({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]} for delta, end in deltas),
        DONE,
    ]


def call_chunks() -> list[Any]:
    pieces = [
        {"index": 0, "id": "call-1", "type": "function", "function": {"name": "add", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a": 5, "b": 3}'}},
    ]
    data = chunks()
    for n, piece in enumerate(pieces, start=1):
        data[n]["choices"][0]["delta"] = {"tool_calls": [piece]}
    data[3]["choices"][0]["finish_reason"] = "tool_calls"
    return data


def streamed(data: list[Any], kind: str = "text/event-stream", **more: Any) -> ChatResponse:
    events = tuple(Chunk(n / 10, one) for n, one in enumerate(data))
    wishes = {"model": "m", "messages": QUESTION, "max_tokens": 256, "stream": True, **more}
    return ChatResponse("it", 0, wishes, 200, assembled(events), events, headers=(("content-type", kind),))


def judged(*replies: ChatResponse, context: CaseContext = BENCH) -> dict[str, set[str]]:
    """The requirements that these replies hold and break, by all invariants of the profile."""
    view = CaseView(Trace(), Responses.of([replace(one, name=f"a#{one.n}") for one in replies]), context)
    evidence = [one for invariant in PROFILE.invariants for one in invariant(view)]
    found = {one.requirement for one in evidence if isinstance(one, Finding)}
    return {"broken": found, "held": {one.requirement for one in evidence if isinstance(one, Satisfied)} - found}
