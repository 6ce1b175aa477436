"""Servers that speak HTTP badly or not at all: each is one behaviour on a raw socket.

Run as a program, it serves the behaviour of that name and prints its port.
"""

import asyncio
import contextlib
import json
import re
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

Writer = asyncio.StreamWriter
Behaviour = Callable[[Writer, str], Awaitable[None]]

GIB = 1 << 30
BLOCK = b" " * (1 << 20)
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
PAGE = b"<!doctype html><html><body>It works!</body></html>"


def answer(body: bytes, status: str = "200 OK", kind: str = "application/json", more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{more}\r\n"
    )
    return head.encode() + body


def says(data: bytes) -> Behaviour:
    """Send this and close."""

    async def behave(writer: Writer, path: str) -> None:
        writer.write(data)
        await writer.drain()

    return behave


async def a_gigabyte(writer: Writer, path: str) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {GIB}\r\n\r\n".encode())
    for _ in range(GIB // len(BLOCK)):
        writer.write(BLOCK)
        await writer.drain()


async def a_gigabyte_in_chunks(writer: Writer, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(GIB // len(BLOCK)):
        writer.write(b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def endless_events(writer: Writer, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
    delta = {"choices": [{"index": 0, "delta": {"content": "a"}}], "id": "x", "object": "chat.completion.chunk"}
    event = b"data: " + json.dumps(delta).encode() + b"\n\n"
    while not writer.is_closing():
        writer.write(event * 100)
        await writer.drain()


async def packed_bomb(writer: Writer, path: str) -> None:
    """A gigabyte of blanks in a megabyte: every flush ends a block that may be repeated."""
    packer = zlib.compressobj()
    first = packer.compress(BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    writer.write(answer(first + again * (GIB // len(BLOCK)), more="content-encoding: deflate\r\n"))
    await writer.drain()


async def drips(writer: Writer, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(1)


async def silent(writer: Writer, path: str) -> None:
    while not writer.is_closing():
        await asyncio.sleep(0.1)


async def endless_headers(writer: Writer, path: str) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for n in range(10_000_000):
        writer.write(b"x-%d: %s\r\n" % (n, b"y" * 4000))
        await writer.drain()


async def endless_continue(writer: Writer, path: str) -> None:
    while not writer.is_closing():
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        await writer.drain()


BEHAVIOURS: dict[str, Behaviour] = {
    "no_http": says(b"\x00garbage\r\n\r\n"),
    "tls": says(b"\x15\x03\x01\x00\x02\x02\x0a"),
    "negative_length": says(b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello"),
    "two_lengths": says(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
    "length_too_long": says(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{}"),
    "huge_length": says(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n{}"),
    "broken_chunks": says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    "status_of_letters": says(b"HTTP/1.1 abc OK\r\n\r\n"),
    "status_99999": says(b"HTTP/1.1 99999 OK\r\ncontent-length: 0\r\n\r\n"),
    "not_utf8": says(answer(b'{"status": "\xff\xfe"}')),
    "broken_json": says(answer(b'{"status": "healthy"')),
    "deep_json": says(answer(DEEP)),
    "not_a_number": says(answer(b'{"status": NaN, "n": [Infinity, -Infinity]}')),
    "a_million_digits": says(answer(b'{"status": ' + b"9" * 1_000_000 + b"}")),
    "half_a_character": says(answer(rb'{"status": "\ud800", "tools": ["\udfff"], "detail": "\ud800"}')),
    "empty": says(answer(b"")),
    "html": says(answer(PAGE, kind="text/html")),
    "bad_charset": says(answer(b"{}", kind="application/json; charset=\xff".encode("latin-1").decode("latin-1"))),
    "not_packed": says(answer(b"{}", more="content-encoding: gzip\r\n")),
    "packed_bomb": packed_bomb,
    "a_gigabyte": a_gigabyte,
    "a_gigabyte_in_chunks": a_gigabyte_in_chunks,
    "endless_events": endless_events,
    "endless_redirect": says(answer(b"", "307 Temporary Redirect", more="location: /health\r\n")),
    "unauthorized": says(answer(b'{"detail": "Invalid API key"}', "401 Unauthorized")),
    "errors": says(answer(b'{"detail": "Internal Server Error"}', "500 Internal Server Error")),
    "closes_at_once": says(b""),
    "silent": silent,
    "drips": drips,
    "huge_header": says(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10_000_000 + b"\r\n\r\n"),
    "endless_headers": endless_headers,
    "endless_continue": endless_continue,
}


@contextlib.asynccontextmanager
async def served(behave: Behaviour) -> AsyncIterator[int]:
    """The port of a server that reads the head and the body of one request and then behaves so."""

    tasks: set[asyncio.Task[None]] = set()
    writers: set[Writer] = set()

    async def spoken_with(reader: asyncio.StreamReader, writer: Writer) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            await behave(writer, head.split(b" ")[1].decode("latin-1"))
        writer.close()
        writers.discard(writer)

    def connected(reader: asyncio.StreamReader, writer: Writer) -> None:
        """No coroutine: one that came at the very end would be cancelled before it could close its connection."""
        writers.add(writer)
        task = asyncio.ensure_future(spoken_with(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0)  # for a connection that was just accepted
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def _main(name: str) -> None:
    async with served(BEHAVIOURS[name]) as port:
        print(port, flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
