"""Tests that mutants of the router fail by the bytes that they send, or by the connections on which they send them."""

import asyncio
import contextlib
import json
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import HI, KEY, PATH, Caller, play, play_with, routed

MODELS = json.dumps({"object": "list", "data": [{"id": "toy", "object": "model"}]}).encode()
ANSWER = json.dumps(Fake("a").whole({"model": "toy", "messages": HI})).encode()


CLOSE = b"connection: close\r\n"
END = b"\r\n\r\n"  # of the head of a request


def _length(head: bytes) -> int:
    return next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)


@dataclass
class Lenient(Fake):
    """A backend that keeps the body of a request, whatever it is."""

    async def complete(self, request: Request) -> Response:
        self.raws.append(await request.body())
        return Response(b"data: [DONE]\n\n", media_type="text/event-stream")


def body_of_a_stream(*, spaces: int = 0) -> None:
    """The body of a request for a stream, to which the router adds members, is JSON to its last byte."""

    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        sent = json.dumps({"model": "toy", "messages": HI, "stream": True}).encode() + b" " * spaces
        await c.post(PATH, content=sent, headers={"x-api-key": KEY, "content-type": "application/json"})
        assert fakes[0].raws[0].endswith(b"}")
        assert json.loads(fakes[0].raws[0])["messages"] == HI

    play_with(scenario, Lenient("a"))


def closed_at_the_second_request() -> None:
    """A backend closes a kept connection when the next request comes on it, as at the end of its idle time."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(END)
            await reader.readexactly(_length(head))
            kept = head.startswith(b"POST")
            answer = ANSWER if kept else MODELS
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + (b"" if kept else CLOSE))
            writer.write(b"content-length: %d\r\n\r\n" % len(answer) + answer)
            await reader.readuntil(END)
        writer.close()

    async def scenario() -> None:
        servers = [await asyncio.start_server(handle, "127.0.0.1", 0) for _ in range(2)]
        fakes = [
            Fake(name, url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            for name, server in zip("ab", servers, strict=True)
        ]
        try:
            async with routed(fakes, weights=[1, 0]) as caller:
                assert [(await caller.ask()).status_code for _ in range(2)] == [200, 200]
        finally:
            for server in servers:
                server.close()

    play(scenario)
