"""The backends that the suite plays: which connection is reset, and what permanent and endless responses do."""

import asyncio
import itertools
import socket

import pytest

from rollout_conformance.steps.engine.trace import Request, Trace
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.peers.scripted_backends import ENDLESS, Backend, BackendResponse, Backends, BackendScript

HELLO = b'{"messages": [{"role": "user", "content": "rc-00000000-%dx"}], "stream": true}'


def script(backends: Backends, number: int, *responses: BackendResponse) -> BackendScript:
    made = BackendScript(f"rc-00000000-{number}x", Trace(), responses)
    backends.add(made)
    return made


def test_only_the_scripted_connection_is_reset() -> None:
    """A router may use one port of its own towards two backends: only the connection to one of them is reset."""
    assert asyncio.run(_two_from_one_port()) == (b"", True)


async def _two_from_one_port() -> tuple[bytes, bool]:
    backends = Backends()
    held = script(backends, 1, BackendResponse(hold=True))
    script(backends, 2, BackendResponse(fault="reset"))
    async with asgi_binding.serve(Backend("a", backends)) as a, asgi_binding.serve(Backend("b", backends)) as b:
        port = _free()
        to_b = await _connected(b, port)
        to_a = await _connected(a, port)  # the younger one, which a table by clients would take for the other
        to_a[1].write(_post(1))
        while not held.received:
            await asyncio.sleep(0.01)
        to_b[1].write(_post(2))
        cut = await to_b[0].read()
        held.release()
        answer = await to_a[0].readline()
        for _, writer in (to_a, to_b):
            writer.close()
        return cut, answer.startswith(b"HTTP/1.1 200")


async def _connected(url: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    mine = socket.socket()
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    mine.bind(("127.0.0.1", port))
    mine.setblocking(False)
    await asyncio.get_running_loop().sock_connect(mine, ("127.0.0.1", int(url.rpartition(":")[2])))
    return await asyncio.open_connection(sock=mine)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _post(number: int) -> bytes:
    body = HELLO % number
    return b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def test_a_backend_repeats_a_permanent_response() -> None:
    backends = Backends()
    played = script(backends, 1, BackendResponse(status=500, permanent=True), BackendResponse(text="Done."))
    request = Request("POST", "/v1/chat/completions", (), HELLO % 1)
    for name in ("a", "b", "a", "b", "a"):
        Backend(name, backends).receive(request)
    assert [line.status for line in played.played] == [500, 200, 500, 200, 500]


@pytest.mark.parametrize("endless", [True, False])
def test_an_endless_stream_has_no_terminal_event(endless: bool) -> None:
    backends = Backends()
    script(backends, 1, BackendResponse(endless=endless))
    play = Backend("a", backends).receive(Request("POST", "/v1/chat/completions", (), HELLO % 1))
    pieces = list(itertools.islice(play.pieces, 2 * ENDLESS))
    assert (len(pieces) > ENDLESS, b"[DONE]" in pieces[-1]) == (endless, not endless)
