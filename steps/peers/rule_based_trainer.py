"""A trainer without a script: it answers any rollout server by reading the conversation, as a mock model would.

Arithmetic becomes a tool call, a tool result is read out, the capital of France is known, and everything else is admitted not to
be. Nothing is judged and nothing is kept.
"""

import json
import re
from typing import Any

import orjson

from rollout_conformance.steps.engine.trace import Request, Response, parse
from rollout_conformance.steps.peers.script import Call, Reply
from rollout_conformance.steps.peers.token_oracle import assistant_message, sample
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.peers.trainer import JSON, Play, ScriptedTrainer

# A number is never begun in its middle, and none of it is given back.
LONGEST = 4096  # characters of a question that are read
NUMBER = r"((?:-|(?<!\d))\d{1,300}+(?:\.\d{1,300}+)?+)"
WORDS = {
    "add": r"\+|plus|added to|and",
    "subtract": r"-|minus|less",
    "multiply": r"\*|x|times|multiplied by",
    "divide": r"/|divided by|over",
}


class RuleBasedTrainer(ScriptedTrainer):
    """Plays the trainer for rollouts that were not enrolled."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__()
        self.tokens = tokens
        self.answered = 0

    def receive(self, request: Request) -> Play:
        path = request.path.partition("?")[0]
        if request.method == "GET" and path == "/health":
            return _play(200, {"status": "healthy", "service": "mock-trainer"})
        if request.method == "GET" and path == "/v1/models":
            return _play(200, {"object": "list", "data": [{"id": "default", "object": "model", "owned_by": "mock"}]})
        if path.endswith("/rollout/completed"):
            return _play(200, {"status": "ok"})
        if not path.endswith("/chat/completions"):
            return _play(404, _error(404, f"no such endpoint: {request.method} {path}"))
        if request.method != "POST":
            return _play(405, _error(405, "POST only"))
        return self._completion(parse(request.body))

    def _completion(self, body: Any) -> Play:
        messages = body.get("messages") if isinstance(body, dict) else None
        if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
            return _play(422, _error(422, "messages: a list of at least one message is required"))
        if body.get("stream"):
            return _play(422, _error(422, "stream: this trainer does not stream"))
        self.answered += 1
        reply = improvise(messages, body.get("tools"))
        message = assistant_message(reply, self.answered, "mock")
        return _play(200, self._reply(body, messages, reply, message))

    def _reply(
        self, body: dict[str, Any], messages: list[Any], reply: Reply, message: dict[str, Any]
    ) -> dict[str, Any]:
        tools = body.get("tools") or None
        prompt = self.tokens.prompt_ids(messages, tools)
        ids, logprobs = sample(self.tokens, reply, message, tools)
        finish = "tool_calls" if reply.calls else "stop"
        whole = {
            "id": f"chatcmpl-mock-{self.answered}",
            "object": "chat.completion",
            "created": 1_700_000_000 + self.answered,
            "model": body.get("model") or "default",
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": {
                "prompt_tokens": len(prompt),
                "completion_tokens": len(ids),
                "total_tokens": len(prompt) + len(ids),
            },
        }
        return whole | {"prompt_token_ids": prompt, "token_ids": ids, "logprobs": logprobs}


def improvise(messages: list[dict[str, object]], tools: object = None) -> Reply:
    """What a small, honest model would say next. A conversation whose start request named no tools still gets calls: in
    this protocol the trainer learns of the tools elsewhere."""
    last = messages[-1]
    if last.get("role") == "tool":
        return Reply(text=f"The result is {last.get('content')}.")
    text = last.get("content") if isinstance(last.get("content"), str) else ""
    call = _arithmetic(str(text))
    if call is not None and last.get("role") == "user":
        return Reply(text="I'll calculate that for you.", calls=(call,))
    if "capital of france" in str(text).lower():
        return Reply(text="Paris")
    return Reply(text="I am a mock trainer: I can calculate, and I know the capital of France.")


def _arithmetic(text: str) -> Call | None:
    for name, words in WORDS.items():
        found = re.search(rf"{NUMBER}\s*+(?:{words})\s*+{NUMBER}", text[:LONGEST])
        if found:
            return Call(name, json.dumps({"a": _number(found[1]), "b": _number(found[2])}))
    return None


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _play(status: int, body: dict[str, object]) -> Play:
    return Play(Response(status, JSON, orjson.dumps(body)))


def _error(code: int, message: str) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
