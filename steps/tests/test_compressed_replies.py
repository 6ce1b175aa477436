"""A generation of the script is compressed where its request names gzip, and the trace keeps what the target has to read."""

import asyncio
import gzip
import json

import pytest

from rollout_conformance.steps.engine.trace import Request, Trace
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import tokens
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.peers.trainer import Enrolled, Play, ScriptedTrainer

NONCE = "rc-00000000-1x"
BODY = json.dumps({"rollout_id": NONCE, "messages": [{"role": "user", "content": "Hello."}]}).encode()


def asked(accept_encoding: str | None, line: Reply) -> tuple[Play, Trace]:
    trace, trainer = Trace(), ScriptedTrainer()
    script = Script((line,))
    trainer.enroll(
        Enrolled("", NONCE, None, NONCE, trace, tokens.load(TOKENIZER), script, lambda name: asyncio.Event())
    )
    headers = (("accept-encoding", accept_encoding),) if accept_encoding is not None else ()
    return trainer.receive(Request("POST", "/v1/chat/completions", headers, BODY)), trace


@pytest.mark.parametrize(
    ("accept_encoding", "compressed"),
    [
        ("gzip", True),
        ("br, GZIP", True),
        ("deflate, gzip;q=0.5, *;q=0", True),
        ("x-gzip", True),
        (None, False),
        ("", False),
        ("*", False),
        ("identity", False),
        ("deflate, br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
    ],
)
def test_only_a_request_that_names_gzip_gets_it(accept_encoding: str | None, compressed: bool) -> None:
    play, trace = asked(accept_encoding, Reply(text="Done.", gzip=True))
    sent = gzip.decompress(play.response.body) if compressed else play.response.body
    assert json.loads(sent)["choices"][0]["message"]["content"] == "Done."
    assert (("content-encoding", "gzip") in play.response.headers) == compressed
    play.delivered()
    kept = trace.exchanges[0].response
    assert kept is not None
    assert kept.body == sent


def test_other_lines_are_not_compressed() -> None:
    play, _ = asked("gzip", Reply(text="Done."))
    assert json.loads(play.response.body)["choices"]
