"""A request of the target that is cut off by its connection is no request: noted in its case, answered by nobody, and of no rollout."""

import asyncio
import json

import pytest

from rollout_conformance.steps.engine.trace import Request, Trace
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding, tokens
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.peers.scripted_backends import Backend, Backends
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout, ScriptedRolloutServer
from rollout_conformance.steps.peers.trainer import Enrolled, ScriptedTrainer

NONCE = "rc-00000000-1x"
BODY = json.dumps({"rollout_id": NONCE, "messages": [{"role": "user", "content": f"Hello, {NONCE}."}]}).encode()
BY_CONTENT_LENGTH = b"content-length: %d\r\n\r\n" % len(BODY)
IN_CHUNKS = b"transfer-encoding: chunked\r\n\r\n"


def trainer(trace: Trace) -> ScriptedTrainer:
    made = ScriptedTrainer()
    known = tokens.load(TOKENIZER)
    made.enroll(
        Enrolled("", NONCE, "a-key", NONCE, trace, known, Script((Reply(text="Done."),)), lambda name: asyncio.Event())
    )
    return made


def host(trace: Trace) -> ScriptedRolloutServer:
    made = ScriptedRolloutServer()
    made.host(HostedRollout("", NONCE, "callback", trace, (), NONCE))
    return made


def head(path: str, rest: bytes) -> bytes:
    return b"POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a-key\r\n%s" % (path.encode(), rest)


async def _sent(peer: asgi_binding.Peer, data: bytes) -> bytes:
    """What is answered to these bytes by a peer, of a client that closes its half and reads on."""
    async with asgi_binding.serve(peer) as url:
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), 60)
        finally:
            writer.close()


def sent(peer: asgi_binding.Peer, data: bytes) -> bytes:
    return asyncio.run(_sent(peer, data))


@pytest.mark.parametrize(
    ("framing", "body", "came"),
    [
        (BY_CONTENT_LENGTH, b"", 0),
        (BY_CONTENT_LENGTH, BODY[:10], 10),
        (BY_CONTENT_LENGTH, BODY[:-1], len(BODY) - 1),
        (IN_CHUNKS, b"%x\r\n%s\r\n" % (len(BODY), BODY), len(BODY)),  # without the chunk that ends it
        (IN_CHUNKS, b"%x\r\n%s" % (len(BODY), BODY[:10]), 10),
    ],
    ids=["no body", "ten bytes", "all but one", "no last chunk", "half a chunk"],
)
def test_a_cut_request_is_noted_and_belongs_to_no_rollout(framing: bytes, body: bytes, came: int) -> None:
    trace = Trace()
    sent(trainer(trace), head("/v1/chat/completions", framing) + body)
    (exchange,) = trace.exchanges
    assert (exchange.rollout, exchange.to_target, exchange.response) == (asgi_binding.ABANDONED, False, None)
    assert exchange.fault == f"abandoned: the connection was lost after {came} bytes of the request's body"
    assert (trace.events, trace.troubles) == ([], [])


def test_the_whole_request_is_one() -> None:
    trace = Trace()
    answered = sent(trainer(trace), head("/v1/chat/completions", BY_CONTENT_LENGTH) + BODY)
    assert [event.name for event in trace.events][:1] == ["GenerationRequested"]
    assert trace.exchanges[0].rollout == ""
    assert not answered or answered.startswith(b"HTTP/1.1 200")


def test_the_reply_of_the_script_is_kept_for_the_request_that_comes_whole() -> None:
    trace = Trace()
    peer = trainer(trace)
    whole = head("/v1/chat/completions", b"connection: close\r\n" + BY_CONTENT_LENGTH)
    sent(peer, whole + BODY[:10])
    sent(peer, whole + BODY)
    assert [exchange.rollout for exchange in trace.exchanges] == [asgi_binding.ABANDONED, ""]
    assert [event.name for event in trace.events].count("GenerationRequested") == 1


def test_a_cut_start_is_no_start_for_the_host_either() -> None:
    trace = Trace()
    sent(host(trace), head(f"/of/{NONCE}/v1/rollout/init", BY_CONTENT_LENGTH) + BODY[:10])
    assert [exchange.rollout for exchange in trace.exchanges] == [asgi_binding.ABANDONED]
    assert trace.events == []


def test_what_belongs_to_no_case_is_noted_nowhere() -> None:
    trace = Trace()
    peer = trainer(trace)
    asgi_binding.abandoned(peer, Request("POST", "/elsewhere", (), b"abc"))
    asgi_binding.abandoned(ScriptedRolloutServer(), Request("POST", "/elsewhere", (), b"abc"))
    asgi_binding.abandoned(Backend("a", Backends()), Request("POST", "/v1/chat/completions", (), b"abc"))
    assert trace.exchanges == []
    assert peer.unmatched_requests == []
