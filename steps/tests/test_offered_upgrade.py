"""A client may offer another protocol with any request (RFC 9110, 7.8): a peer reads such a request like any other.

The client of the JDK offers h2c with every request, so that a right target in Java or Kotlin was accused of sending no body.
"""

import asyncio
import contextlib
import json

import pytest

from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding, tokens
from rollout_conformance.steps.peers.script import Fault, Reply, Script
from rollout_conformance.steps.peers.trainer import Enrolled, ScriptedTrainer

NONCE = "rc-00000000-1x"
BODY = json.dumps({"rollout_id": NONCE, "messages": [{"role": "user", "content": f"Hello, {NONCE}."}]}).encode()
OFFERS = {
    "h2c": b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAA\r\n",
    "websocket": b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "none": b"",
}
FRAMED = {
    "with a length": b"content-length: %d\r\n\r\n%s" % (len(BODY), BODY),
    "in chunks": b"transfer-encoding: chunked\r\n\r\n5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (BODY[:5], len(BODY) - 5, BODY[5:]),
}


def trainer(trace: Trace, *lines: Reply | Fault) -> ScriptedTrainer:
    made = ScriptedTrainer()
    known = tokens.load(TOKENIZER)
    made.enroll(Enrolled("", NONCE, None, NONCE, trace, known, Script(lines), lambda name: asyncio.Event()))
    return made


def request(offer: str, framing: str) -> bytes:
    return b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n%s%s" % (OFFERS[offer], FRAMED[framing])


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return int(head.split(b" ")[1]), await reader.readexactly(int(length.partition(b":")[2]))


async def _answers(peer: ScriptedTrainer, requests: list[list[bytes]]) -> list[tuple[int, bytes]]:
    """The answers to these requests on one connection, each sent in these pieces."""
    async with asgi_binding.serve(peer) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        answers = []
        try:
            for pieces in requests:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                answers.append(await asyncio.wait_for(_answer(reader), 60))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        return answers


@pytest.mark.parametrize("framing", FRAMED)
@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("size", [1, 70, 100_000], ids=["bytes", "pieces", "whole"])
def test_a_request_that_offers_another_protocol_is_read_whole(offer: str, framing: str, size: int) -> None:
    trace, text = Trace(), request(offer, framing)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    [(status, body)] = asyncio.run(_answers(trainer(trace, Reply(text="Done.")), [pieces]))
    assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, "Done.")
    assert [bytes(e.request.body) for e in trace.exchanges] == [BODY]
    assert ("upgrade" in dict(trace.exchanges[0].request.headers)) == (offer != "none")


def test_the_connection_serves_later_requests_with_and_without_an_offer() -> None:
    trace, kinds = Trace(), ["none", "h2c", "none", "h2c"]
    replies = [Reply(text=str(n)) for n in range(len(kinds))]
    sent = [[request(kind, "with a length")] for kind in kinds]
    answers = asyncio.run(_answers(trainer(trace, *replies), sent))
    assert [json.loads(body)["choices"][0]["message"]["content"] for _, body in answers] == ["0", "1", "2", "3"]


def test_a_connection_with_an_offer_can_be_cut() -> None:
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        asyncio.run(_answers(trainer(Trace(), Fault(loss="reset")), [[request("h2c", "with a length")]]))
