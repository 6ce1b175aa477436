"""A client and an inference server, and the recorder between them: what is written is valid, passes, and finds a defect."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.peers.reverse_proxy import Passed
from rollout_conformance.steps.profiles.chat.profile import PROFILE
from rollout_conformance.steps.profiles.chat.recording import ChatRecorder
from rollout_conformance.steps.run_setup import RunOptions, ready
from rollout_conformance.steps.tests.recording.servers import call, module, recorder

QUESTION = {"role": "user", "content": "Please calculate 5 plus 3."}
NUMBERS = {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}
ADD = {"type": "function", "function": {"name": "add", "parameters": NUMBERS}}
DEFECTS = [("stream_no_done", "CHAT-051"), ("nameless", "CHAT-002"), ("finish_always_stop", "CHAT-038")]


def converses(url: str) -> None:
    """A conversation of two turns with a tool, one that is streamed, and a request that is rejected."""
    model = call(f"{url}/v1/models")["data"][0]["id"]
    first = {"model": model, "messages": [QUESTION], "tools": [ADD], "temperature": 0}
    said = call(f"{url}/v1/chat/completions", first)["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": "8"}
    call(f"{url}/v1/chat/completions", {**first, "messages": [QUESTION, said, result]})
    streamed(f"{url}/v1/chat/completions", {"model": model, "messages": [QUESTION], "stream": True, "max_tokens": 20})
    with pytest.raises(urllib.error.HTTPError, match="40"):
        call(f"{url}/v1/chat/completions", {"model": "nobody", "messages": [QUESTION]})


def streamed(url: str, body: Any) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        assert response.read().endswith(b"data: [DONE]\n\n")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("recorded")
    with (
        module("rollout_conformance.rollout_server.inference", "ENGINE_PORT") as server,
        recorder(server, folder, "--profile", "chat") as (url, process),
    ):
        converses(url)
        process.send_signal(2)
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert "request 4: it was answered 404; it is in no scenario." in process.stdout.read()
    return sorted(folder.iterdir())


def found(files: list[Path], mutant: str = "") -> tuple[set[str], int]:
    """The requirements that these files find broken, and how many of their cases pass."""
    card = cards.load(PROFILE.reference.card, PROFILE.card)
    described = card.model_copy(update={"env": {**card.env, "ENGINE_MUTANT": mutant}} if mutant else {})
    target = "app:rollout_server.mutants.inference:create_app" if mutant else PROFILE.reference.app

    async def play() -> tuple[set[str], int]:
        cases = [case for file in files for case in case_catalog.load(file, PROFILE)]
        async with ready(RunOptions(profile="chat", target=target, described=described)) as run:
            outcomes = await asyncio.gather(*(run.runner.play(case) for case in cases))
        findings = {finding.requirement for one in outcomes for finding in one.judgement.findings}
        return findings, sum(one.judgement.verdict.name == "PASS" for one in outcomes)

    return asyncio.run(play())


def test_requests_that_continue_each_other_are_one_conversation(recorded: list[Path]) -> None:
    turns = [[len(case.steps) for case in case_catalog.load(file, PROFILE)] for file in recorded]
    assert turns == [[4], [2]]  # a step and an expectation for each request


def test_it_passes_against_the_server_that_was_recorded(recorded: list[Path]) -> None:
    assert found(recorded) == (set(), 2)


@pytest.mark.parametrize(("mutant", "requirement"), DEFECTS)
def test_it_finds_a_defect(recorded: list[Path], mutant: str, requirement: str) -> None:
    assert requirement in found(recorded, mutant)[0]


def test_no_key_is_written(recorded: list[Path]) -> None:
    assert not any("client-key" in file.read_text(encoding="utf-8") for file in recorded)


def test_a_prompt_is_a_step_as_well() -> None:
    chats = ChatRecorder("http://server/")
    body = {"model": "m m", "prompt": "Count.", "max_tokens": 5, "temperature": 1.0}
    request = Request("POST", "/v1/completions", (), json.dumps(body).encode())
    route = chats.route(request)
    assert route is not None
    route.done(Passed(request, Response(200, (), b'{"choices": [{"text": "1 2 sk-abcdefghijklmnop0123"}]}')))
    (found,) = chats.rest()
    written = {"name": "turn1", "prompt": "Count.", "body": {"max_tokens": 5, "temperature": 1.0}}
    assert (found.case["steps"], found.options, found.remarks[-1]) == (
        [{"chat": written}],
        "--model 'm m'",
        "turn1: 1 2 ***",
    )
