"""A connection that the server closes while it is reused is no fault of the server; a fresh one that it closes is."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from rollout_conformance.steps.engine.http_client import client

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers the first `served` requests of a connection and closes it at the next one."""

    def __init__(self, served: Callable[[int], int]) -> None:
        self.served = served
        self.connections = 0
        self.requests: list[tuple[int, bytes]] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        for n in range(10):
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(4) if b"content-length: 4" in head.lower() else b""
            self.requests.append((number, body))
            if n == self.served(number):
                break
            writer.write(ANSWER)
            await writer.drain()
        writer.close()


async def statuses(server: Server, requests: int) -> list[int | str]:
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    seen: list[int | str] = []
    async with listening, client() as http:
        for _ in range(requests):
            try:
                seen.append((await http.post(f"http://127.0.0.1:{port}/", content=b"body")).status_code)
            except httpx.HTTPError as error:
                seen.append(str(error))
    return seen


def test_a_reused_connection_that_is_closed_is_replaced() -> None:
    server = Server(lambda connection: 1)
    assert asyncio.run(statuses(server, 2)) == [200, 200]
    assert server.requests == [(0, b"body"), (0, b"body"), (1, b"body")]


@pytest.mark.parametrize("requests", [1, 2])
def test_a_fresh_connection_that_is_closed_is_the_fault_of_the_server(requests: int) -> None:
    server = Server(lambda connection: 0)
    assert set(asyncio.run(statuses(server, requests))) == {"the connection was closed without an answer"}
    assert len(server.requests) == requests


def test_a_request_is_sent_again_once() -> None:
    server = Server(lambda connection: 1 if connection == 0 else 0)
    assert asyncio.run(statuses(server, 2)) == [200, "the connection was closed without an answer"]
