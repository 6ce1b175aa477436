"""A fake vLLM on a real socket: it counts, echoes, fails, streams slowly and dies, as it is told by its own attributes.

`python -m rollout_conformance.rollout_server.tests.router.backend PORT NAME` serves one in a process that can be killed.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

WORDS = ["The ", "capital ", "of ", "France ", "is ", "Paris", "."]


@dataclass
class Fake:
    name: str
    models: tuple[str, ...] = ("toy",)
    status: int = 200
    retry_after: str | None = None
    answer: bytes | None = None  # instead of a chat.completion
    pause_s: float = 0.0  # before an answer, and between two chunks
    words: list[str] = field(default_factory=lambda: list(WORDS))
    dies_after: int | None = None  # chunks with a word
    done: bool = True
    well: bool = True
    bodies: list[dict[str, Any]] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    running: int = 0
    left: int = 0  # clients that went away before the end
    sent: int = 0
    url: str = ""

    @property
    def calls(self) -> int:
        return len(self.bodies)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/health", self.health),
                Route("/v1/models", self.model_entry),
                Route("/v1/chat/completions", self.complete, methods=["POST"]),
                Route("/v1/completions", self.complete, methods=["POST"]),
            ]
        )

    async def health(self, request: Request) -> Response:
        return Response(status_code=200 if self.well else 503)

    async def model_entry(self, request: Request) -> Response:
        entries = [{"id": name, "object": "model", "created": 1, "owned_by": self.name} for name in self.models]
        return JSONResponse({"object": "list", "data": entries})

    async def complete(self, request: Request) -> Response:
        raw = await request.body()
        body = json.loads(raw)
        self.raws.append(raw)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        if self.status != 200:
            told = {"error": {"message": f"secret of {self.name}", "code": self.status}}
            return JSONResponse(told, self.status, {"retry-after": self.retry_after} if self.retry_after else None)
        if body.get("stream"):
            return StreamingResponse(self.events(body), media_type="text/event-stream")
        if await self.leaves(request):
            return Response(status_code=499)
        if self.answer is not None:
            return Response(self.answer, media_type="application/json")
        return JSONResponse(self.whole(body))

    async def leaves(self, request: Request) -> bool:
        self.running += 1
        try:
            async with asyncio.timeout(self.pause_s or None if self.pause_s else 0):
                while (await request.receive())["type"] != "http.disconnect":
                    pass
            self.left += 1
            return True
        except TimeoutError:
            return False
        finally:
            self.running -= 1

    def whole(self, body: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": "".join(self.words), "reasoning": "Hm."}
        said = {"message": message} if "messages" in body else {"text": "".join(self.words)}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": "stop", "token_ids": [1, 2]}
        return {
            "id": f"chatcmpl-{self.name}",
            "object": "chat.completion" if "messages" in body else "text_completion",
            "created": 1,
            "model": body["model"],
            "choices": [choice],
            "system_fingerprint": self.name,
            "unknown": {"zero": 0, "none": None},
            "usage": self.usage(len(self.words)),
        }

    def usage(self, completion: int) -> dict[str, int]:
        return {"prompt_tokens": 5, "completion_tokens": completion, "total_tokens": 5 + completion}

    async def events(self, body: dict[str, Any]) -> AsyncIterator[bytes]:
        self.running += 1
        finished = False
        try:
            async for chunk in self.chunks(body):
                yield b"data: " + (chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode()) + b"\n\n"
            finished = True
        finally:
            self.running -= 1
            self.left += not finished and self.dies_after is None

    async def chunks(self, body: dict[str, Any]) -> AsyncIterator[Any]:
        options = body.get("stream_options") or {}
        head = {"id": f"chatcmpl-{self.name}", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
        yield {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
        words = self.rest(body)
        for count, word in enumerate(words, 1):
            if self.dies_after is not None and count > self.dies_after:
                if self.done:
                    raise ConnectionResetError
                return
            await asyncio.sleep(self.pause_s)
            self.sent += 1
            each = {"usage": self.usage(count)} if options.get("continuous_usage_stats") else {}
            yield {**head, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}], **each}
        yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        if options.get("include_usage"):
            yield {**head, "choices": [], "usage": self.usage(len(words))}
        if self.done:
            yield b"[DONE]"

    def rest(self, body: dict[str, Any]) -> list[str]:
        """The words that follow those of a last message that is to be continued."""
        if not body.get("continue_final_message"):
            return self.words
        said = body["messages"][-1]["content"]
        text = "".join(self.words)
        assert text.startswith(said)
        head, *tail = text[len(said) :].split(" ")
        return [head, *(f" {word}" for word in tail)]


if __name__ == "__main__":
    fake = Fake(sys.argv[2], pause_s=0.01, words=[f"{n} " for n in range(1, 1000)])
    uvicorn.run(fake.app(), port=int(sys.argv[1]), log_level="error")
