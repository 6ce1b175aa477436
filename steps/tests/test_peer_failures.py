"""A peer that cannot answer as its case says: the case could not be judged, and the target is accused of nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding, respx_binding, tokens
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.peers.scripted_backends import Backend, BackendResponse, Backends, BackendScript
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout, ScriptedRolloutServer, StartAnswer
from rollout_conformance.steps.peers.trainer import Enrolled, ScriptedTrainer
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.rollout.actions.prepare import ScriptTrainer
from rollout_conformance.steps.run_setup import RunOptions, ready

NONCE = "rc-00000000-1x"
ASKED = {"rollout_id": NONCE, "messages": [{"role": "user", "content": f"Hello, {NONCE}."}]}
CASE = (
    "cases:\n- name: one\n  requirements: [ROLLOUT-112]\n  dialects: [callback]\n  trainer: [{text: Done.}]\n"
    "  expect: [{completed: stop}, {generation_requests: 1}]\n"
)


def trainer(trace: Trace, line: Reply) -> ScriptedTrainer:
    made = ScriptedTrainer()
    known = tokens.load(TOKENIZER)
    made.enroll(Enrolled("", NONCE, None, NONCE, trace, known, Script((line,)), lambda name: asyncio.Event()))
    return made


def host(trace: Trace) -> ScriptedRolloutServer:
    made = ScriptedRolloutServer()
    refusals = [StartAnswer(503, (("x-a", "\u2603"),))]
    made.host(HostedRollout("", NONCE, "callback", trace, (), NONCE, refusals))
    return made


def backend(trace: Trace) -> Backend:
    all_of_them = Backends()
    all_of_them.add(BackendScript(NONCE, trace, (BackendResponse(members={"x": object()}),)))
    return Backend("a", all_of_them)


async def over_a_socket(peer: asgi_binding.Peer, path: str) -> None:
    async with asgi_binding.serve(peer) as url, http_client.client() as client:
        try:
            await client.post(url + path, json=ASKED)
        except httpx.HTTPError:
            return  # a connection that breaks off is what the target sees


async def in_this_process(peer: ScriptedTrainer, path: str) -> None:
    async with httpx.AsyncClient(transport=respx_binding.transport(peer), base_url="http://trainer.test") as client:
        with pytest.raises(ValueError, match="has no 'a' there"):
            await client.post(path, json=ASKED)


@pytest.mark.parametrize("bound", [over_a_socket, in_this_process])
def test_what_a_trainer_cannot_say_is_noted_in_the_case(bound: Callable[..., Awaitable[None]]) -> None:
    trace = Trace()
    asyncio.run(bound(trainer(trace, Reply(text="Done.", put={"a.b": 1})), "/v1/chat/completions"))  # type: ignore[arg-type]
    (told,) = trace.troubles
    assert told.startswith(
        "the suite could not answer POST /v1/chat/completions as the case says: a.b: the reply has no 'a'"
    )


@pytest.mark.parametrize(
    ("made", "path"),
    [(host, f"/of/{NONCE}/v1/rollout/init"), (backend, "/v1/chat/completions")],
    ids=["host", "backend"],
)
def test_what_another_peer_cannot_say_is_noted_in_the_case(
    made: Callable[[Trace], asgi_binding.Peer], path: str
) -> None:
    trace = Trace()
    asyncio.run(over_a_socket(made(trace), path))
    assert len(trace.troubles) == 1


def test_an_answer_that_may_be_given_is_no_trouble() -> None:
    trace = Trace()
    asyncio.run(over_a_socket(trainer(trace, Reply(text="Done.")), "/v1/chat/completions"))
    assert trace.troubles == []


async def played(case: Case) -> Outcome:
    async with ready(RunOptions(dialect="callback")) as run:
        return await run.runner.play(case)


def test_the_case_is_an_error_with_the_reason(tmp_path: Path) -> None:
    """What `lint` refuses cannot be written; a case of Python can still do it."""
    file = tmp_path / "x.yaml"
    file.write_text(CASE, encoding="utf-8")
    (case,) = case_catalog.among([file], PROFILES["rollout"])
    broken = replace(case.steps[0], what=ScriptTrainer(Script((Reply(text="Done.", put={"a.b": 1}),))))
    outcome = asyncio.run(played(replace(case, steps=(broken, *case.steps[1:]))))
    assert outcome.judgement.verdict is Verdict.ERROR
    assert "a.b: the reply has no 'a' there" in outcome.judgement.reason
    assert outcome.judgement.findings == ()
