"""A trainer in this process, and a rollout server that does what a test says and nothing else."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from rollout_conformance.rollout_server.common import chat_tokenizer
from rollout_conformance.rollout_server.common.settings import SHIPPED_TOKENIZER
from rollout_conformance.rollout_server.tests.rollout.support import DEADLINE_S, Caller
from rollout_conformance.rollout_server.trainer.app import create_app
from rollout_conformance.rollout_server.trainer.settings import Settings

USER = {"role": "user", "content": "Please calculate 5 plus 3."}
ID = "r-1"


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"a": {}}}}}


TOOLS = [tool("add"), tool("subtract"), tool("multiply"), tool("divide")]
CHAT_TOKENS = chat_tokenizer.load(SHIPPED_TOKENIZER, "TOKENIZER")


@dataclass
class RolloutServer:
    """Answers GET /tools and start requests: `answers` in order, then a 202, or nothing until `result` is there."""

    tools: list[Any] = field(default_factory=lambda: TOOLS)
    answers: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    result: "asyncio.Future[dict[str, Any]] | None" = None
    first: Callable[[], Awaitable[Any]] | None = None  # done before a start request is answered

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/tools":
            return httpx.Response(200, json={"tools": self.tools})
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if self.first:
            await self.first()
        body = json.loads(request.content)
        if request.url.path == "/rollout":
            self.result = asyncio.get_running_loop().create_future()
            return httpx.Response(200, json=await self.result)
        return httpx.Response(202, json={"rollout_id": body["rollout_id"], "tools": self.tools})

    @property
    def starts(self) -> list[dict[str, Any]]:
        return [json.loads(r.content) for r in self.requests if r.method == "POST"]


@dataclass
class Bench:
    caller: Caller
    server: RolloutServer
    dialect: str

    async def open(self, rollout_id: str = ID, **changes: Any) -> None:
        """A rollout that is running, its tools known."""
        response = await self.start(rollout_id=rollout_id, **changes)
        assert response.status_code == 202, response.text
        async with asyncio.timeout(DEADLINE_S):
            await self.session(rollout_id).ready.wait()

    async def start(self, **changes: Any) -> httpx.Response:
        body = {"dialect": self.dialect, "server_url": "http://rollouts.test", "messages": [USER]} | changes
        return await self.caller.post("/rollouts", body, headers=[(b"host", b"trainer.test:9001")])

    def session(self, rollout_id: str = ID) -> Any:
        return self.caller.app.state.service.sessions.find(rollout_id)

    def key(self, rollout_id: str = ID) -> list[tuple[bytes, bytes]]:
        return [(b"authorization", b"Bearer " + self.session(rollout_id).key.encode())]

    async def ask(self, messages: list[Any], mask: Any = None, **changes: Any) -> httpx.Response:
        """A generation call with all the members of its dialect."""
        body = {
            "model": "default",
            "rollout_id": ID,
            "messages": messages,
            "temperature": 0.7,
            "top_p": 0.9,
            "max_tokens": 512,
            "stop": None,
            "logprobs": True,
        }
        masked = {"response_mask": mask} if self.dialect == "sync" else {}
        whole = body | masked | changes
        return await self.caller.post("/v1/chat/completions", whole, headers=self.key(str(whole["rollout_id"])))

    async def said(self, messages: list[Any], mask: Any = None) -> dict[str, Any]:
        response = await self.ask(messages, mask)
        assert response.status_code == 200, response.text
        message = response.json()["choices"][0]["message"]
        assert isinstance(message, dict)
        return message

    async def called(self) -> tuple[list[Any], list[int] | None]:
        """The conversation after the first turn and its tool result, and the mask that has to come with it."""
        reply = await self.said([USER])
        messages = [USER, reply, *results(reply, "8")]
        return messages, self.mask(messages)

    def mask(self, messages: list[Any]) -> list[int] | None:
        """One zero for each inserted token, counted anew from the text."""
        if self.dialect != "sync":
            return None
        last = next(n for n in range(len(messages) - 1, -1, -1) if messages[n]["role"] == "assistant")
        turns = self.session().trajectory.turns
        whole, before = (len(CHAT_TOKENS.encode(CHAT_TOKENS.render(m, TOOLS))) for m in (messages, messages[:last]))
        return [0] * (whole - before - len(turns[-1].token_ids))

    async def record(self, rollout_id: str = ID) -> dict[str, Any]:
        response = await self.caller.get(f"/rollouts/{rollout_id}")
        assert response.status_code == 200, response.text
        record = response.json()
        assert isinstance(record, dict)
        return record

    async def finish(self, **changes: Any) -> httpx.Response | None:
        """The terminal result arrives, the way it does in this dialect."""
        result = {"rollout_id": ID, "status": "COMPLETED", "finish_reason": "stop", "final_messages": [USER]} | changes
        if self.dialect == "callback":
            return await self.caller.post("/v1/rollout/completed", result, headers=self.key(result["rollout_id"]))
        assert self.server.result is not None
        self.server.result.set_result(result)
        await self.end()
        return None

    async def end(self, rollout_id: str = ID) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.session(rollout_id).ended.wait()


def results(reply: dict[str, Any], *contents: str) -> list[dict[str, Any]]:
    calls = reply["tool_calls"]
    return [
        {"role": "tool", "content": content, "tool_call_id": call["id"]}
        for call, content in zip(calls, contents, strict=True)
    ]


def bench(dialect: str, server: RolloutServer | None = None, **settings: Any) -> Bench:
    server = server or RolloutServer()
    app = create_app(settings=Settings(**({"log_level": "off"} | settings)), transport=httpx.MockTransport(server))
    return Bench(Caller(app), server, dialect)


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario to its end, and leave nothing behind."""

    async def whole() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await scenario()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    asyncio.run(whole())
