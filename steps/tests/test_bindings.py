"""One script core, two bindings: what a client sees through respx and over a socket is the same, and so is the trace."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding, respx_binding, tokens
from rollout_conformance.steps.peers.script import Ack, Call, Fault, Line, Reply, Script
from rollout_conformance.steps.peers.trainer import Enrolled, ScriptedTrainer

CALL = Reply(calls=(Call("add", '{"a": 5, "b": 3}'),))
SAY = Reply(text="Grüße 🧮")
ASK = {"rollout_id": "r", "messages": [{"role": "user", "content": "5 plus 3?"}]}

SCRIPTS: dict[str, Sequence[Line]] = {
    "a plain answer": [SAY],
    "a call, then an answer": [CALL, SAY],
    "a script that ends too early": [],
    "a status once": [Fault(status=503, headers=(("retry-after", "7"),)), SAY],
    "a status for ever": [Fault(status=500, times=0)],
    "a web page": [Fault(body=b"<html>")],
    "a reset": [Fault(loss="reset"), SAY],
    "half a body": [Reply(text="lost", lost="cut"), SAY],
    "a body that drips": [Reply(text="drip", drip=True)],
    "a changed reply": [Reply(text="x", put={"usage": None, "choices.0.x": 1}, drop=("token_ids",))],
}


@contextlib.asynccontextmanager
async def over_respx(trainer: ScriptedTrainer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=respx_binding.transport(trainer), base_url="http://trainer.test") as client:
        yield client


@contextlib.asynccontextmanager
async def over_a_socket(trainer: ScriptedTrainer) -> AsyncIterator[httpx.AsyncClient]:
    async with asgi_binding.serve(trainer) as url, http_client.client() as client:
        client.base_url = httpx.URL(url)
        client.headers["connection"] = "close"  # a request on a reused connection that breaks would be sent again
        yield client


def enrolled(lines: Sequence[Line], acks: Sequence[Ack] = ()) -> tuple[ScriptedTrainer, Trace]:
    trainer, trace = ScriptedTrainer(), Trace()
    gate = asyncio.Event()
    script = Script(tuple(lines), tuple(acks))
    trainer.enroll(Enrolled("", "r", None, "rc-00000000-1x", trace, tokens.load(TOKENIZER), script, lambda _: gate))
    return trainer, trace


async def told(client: httpx.AsyncClient, path: str, calls: int) -> list[object]:
    """What a client can tell of some calls: status, headers that the script set, and body, or that the connection broke."""
    seen: list[object] = []
    for _ in range(calls):
        try:
            reply = await client.post(path, json=ASK)
            seen.append((reply.status_code, reply.headers.get("retry-after"), without_logprobs(reply)))
        except httpx.HTTPError:
            seen.append("broken")
    return seen


def without_logprobs(reply: httpx.Response) -> object:
    """The body; logprobs are distinct in a whole run by design, so two runs cannot agree on them."""
    try:
        body = reply.json()
    except ValueError:
        return reply.content
    return {k: v for k, v in body.items() if k != "logprobs"} if isinstance(body, dict) else body


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_bindings_give_the_same_answers_and_traces(name: str) -> None:
    async def through(binding: object) -> tuple[object, object]:
        trainer, trace = enrolled(SCRIPTS[name], [Ack(503), Ack(loss="reset"), Ack(204)])
        async with binding(trainer) as client:  # type: ignore[operator]
            seen = await told(client, "/v1/chat/completions", 3) + await told(client, "/v1/rollout/completed", 4)
        return seen, [(event.role, event.name, event.exchange) for event in trace.events]

    async def both() -> tuple[object, object]:
        return await through(over_respx), await through(over_a_socket)

    in_respx, on_socket = asyncio.run(both())
    assert in_respx == on_socket


def test_what_belongs_to_no_rollout_is_a_stray_and_404() -> None:
    async def run() -> tuple[int, int]:
        trainer, _ = enrolled([])
        async with over_a_socket(trainer) as client:
            reply = await client.post("/v1/chat/completions", json={"rollout_id": "stranger", "messages": []})
        return reply.status_code, len(trainer.unmatched_requests)

    assert asyncio.run(run()) == (404, 1)


def test_a_taken_port_is_told_as_such() -> None:
    async def run() -> str:
        trainer, _ = enrolled([])
        async with asgi_binding.serve(trainer) as url:
            port = int(url.rpartition(":")[2])
            with pytest.raises(SuiteError) as told:
                async with asgi_binding.serve(trainer, port=port):
                    pass
        return str(told.value)

    assert "cannot listen there" in asyncio.run(run())
