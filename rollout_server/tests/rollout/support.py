"""A trainer that answers from a list, and a way to call the server without a socket and without buffering."""

import asyncio
import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from rollout_conformance.rollout_server.rollout import tokenizer_cache
from rollout_conformance.rollout_server.rollout.app import create_app
from rollout_conformance.rollout_server.rollout.settings import Settings

TOKENIZER = str(Path(__file__).resolve().parents[3] / "scenarios" / "tokenizer")
USER = {"role": "user", "content": "Please calculate 5 plus 3."}
DEADLINE_S = 60.0  # far more than a busy machine needs

Effect = httpx.Response | Exception | Callable[[httpx.Request], Any] | dict[str, Any]


def call(name: str = "add", arguments: Any = '{"a": 5, "b": 3}', id: str = "call_1") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def reply(content: str | None = "Done.", *calls: dict[str, Any], tokens: int = 4, **more: Any) -> dict[str, Any]:
    """A generation. The trainer adds the `prompt_token_ids` of the conversation, unless `more` has others."""
    message = {"role": "assistant", "content": content} | ({"tool_calls": list(calls)} if calls else {})
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    return {
        "id": "chatcmpl-1",
        "created": 1,
        "choices": [choice],
        "token_ids": list(range(tokens)),
        "logprobs": [-0.5] * tokens,
        "usage": {"prompt_tokens": 20, "completion_tokens": tokens},
        **more,
    }


@dataclass
class Trainer:
    """Plays `chats` and `acks` in order; the last of each is repeated."""

    chats: list[Effect] = field(default_factory=lambda: [reply()])
    acks: list[Effect] = field(default_factory=lambda: [httpx.Response(200)])
    requests: list[httpx.Request] = field(default_factory=list)
    completed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        done = request.url.path.endswith("/completed")
        effects = self.acks if done else self.chats
        effect = effects.pop(0) if len(effects) > 1 else effects[0]
        response = await perform(effect, request)
        if done and response.is_success:
            self.completed.set()
        return response

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [json.loads(r.content) for r in self.requests if r.url.path.endswith(path)]

    @property
    def asked(self) -> list[dict[str, Any]]:
        return self.bodies("/v1/chat/completions")

    @property
    def results(self) -> list[dict[str, Any]]:
        return self.bodies("/v1/rollout/completed")


async def perform(effect: Effect, request: httpx.Request) -> httpx.Response:
    if callable(effect):
        effect = effect(request)
        if asyncio.iscoroutine(effect):
            effect = await effect
    if isinstance(effect, Exception):
        raise effect
    if isinstance(effect, httpx.Response):  # a response can be read only once
        return httpx.Response(effect.status_code, headers=effect.headers, content=effect.content)
    assert isinstance(effect, dict)
    whole = {"prompt_token_ids": prompt_ids(request)} | effect
    return httpx.Response(200, headers={"content-type": "application/json"}, content=json.dumps(whole).encode())


@functools.cache
def tokenizer() -> tokenizer_cache.PromptCounter:
    return tokenizer_cache.load(TOKENIZER)


def prompt_ids(request: httpx.Request) -> list[int]:
    return list(range(tokenizer().count(tokenizer().render(json.loads(request.content)["messages"]))))


async def hang(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


@dataclass
class Caller:
    """Speaks ASGI to the app. `leave` makes the client go away."""

    app: Starlette

    async def request(
        self,
        method: str,
        path: str,
        body: Any = b"",
        headers: Iterable[tuple[bytes, bytes]] = (),
        leave: asyncio.Event | None = None,
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        chunks: list[dict[str, Any]] = [{"type": "http.request", "body": content}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if chunks:
                return chunks.pop()
            await (leave or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": list(headers),
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 9000),
        }
        async with asyncio.timeout(DEADLINE_S):
            await self.app(scope, receive, send)
        return httpx.Response(
            sent[0]["status"], headers=sent[0]["headers"], content=b"".join(m.get("body", b"") for m in sent[1:])
        )

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.request("GET", path, **more)

    async def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        return await self.request("POST", path, body, **more)

    async def sync(self, **changes: Any) -> dict[str, Any]:
        """The result of a sync rollout."""
        response = await self.post("/rollout", sync_start(**changes))
        assert response.status_code == 200, response.text
        result = response.json()
        assert isinstance(result, dict)
        return result

    async def callback(self, trainer: Trainer, **changes: Any) -> dict[str, Any]:
        """The result of a callback rollout, as the trainer gets it."""
        response = await self.post("/v1/rollout/init", init(**changes))
        assert response.status_code == 202, response.text
        async with asyncio.timeout(DEADLINE_S):
            await trainer.completed.wait()
        return trainer.results[-1]


def sync_start(**changes: Any) -> dict[str, Any]:
    start = {
        "rollout_id": "r-1",
        "server_url": "http://trainer.test",
        "messages": [USER],
        "sampling_params": {},
        "tokenizer_name": TOKENIZER,
    }
    return start | changes


def init(**changes: Any) -> dict[str, Any]:
    start = {
        "rollout_id": "r-1",
        "server_url": "http://trainer.test",
        "messages": [USER],
        "completion_params": {},
    }
    return start | changes


def serve(trainer: Trainer, **settings: Any) -> Caller:
    """A server whose every pause is short, with the tokenizer at hand: no deadline of a test is spent on loading it."""
    quick: dict[str, Any] = {"log_level": "off", "retry_base_s": 0, "retry_max_s": 0, "drain_s": 0}
    app = create_app(settings=Settings(**(quick | settings)), transport=httpx.MockTransport(trainer))
    app.state.service.app_state.tokenizers.keep((TOKENIZER, None), tokenizer())
    return Caller(app)
