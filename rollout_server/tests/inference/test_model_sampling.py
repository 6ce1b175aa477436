"""The server with the tiny model in place of the rules."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.inference.app import create_app
from rollout_conformance.rollout_server.inference.model_sampling import only_likeliest
from rollout_conformance.rollout_server.inference.settings import load
from rollout_conformance.rollout_server.tests.inference.support import CAPITAL, COUNT, PATH, SUM, TOOLS, body
from rollout_conformance.rollout_server.tests.router.support import listening
from rollout_conformance.rollout_server.tests.tls import WITHOUT_CERTIFICATES
from rollout_conformance.rollout_server.worker.jobs import Scored
from rollout_conformance.rollout_server.worker.settings import SHIPPED_MODEL

DEADLINE_S = 30.0
SCHEMA = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
FORM = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}


def play(scenario: Any) -> None:
    async def playing() -> None:
        app = create_app(settings=load(weights=SHIPPED_MODEL, model="toy", token_delay_s=0))
        async with (
            asyncio.timeout(DEADLINE_S),
            listening(app, lifespan="on") as url,
            httpx.AsyncClient(base_url=url, verify=WITHOUT_CERTIFICATES, timeout=DEADLINE_S) as client,
        ):
            await scenario(client)

    asyncio.run(playing())


async def choice(client: httpx.AsyncClient, wanted: dict[str, Any]) -> dict[str, Any]:
    response = await client.post(PATH, json=wanted)
    assert response.status_code == 200, response.text
    return dict(response.json()["choices"][0])


def test_it_answers_with_what_the_model_has_learnt() -> None:
    async def asked(client: httpx.AsyncClient) -> None:
        given = body(CAPITAL, temperature=0, logprobs=True, top_logprobs=2, return_token_ids=True)
        answer = await choice(client, given)
        entries = answer["logprobs"]["content"]
        assert (answer["message"]["content"], answer["finish_reason"]) == ("Paris", "stop")
        assert len(entries) == len(answer["token_ids"])
        assert all(entry["logprob"] == entry["top_logprobs"][0]["logprob"] for entry in entries)

    play(asked)


def test_a_call_is_read_from_the_text() -> None:
    async def asked(client: httpx.AsyncClient) -> None:
        answer = await choice(client, body(SUM, tools=TOOLS, temperature=0))
        (call,) = answer["message"]["tool_calls"]
        assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("add", {"a": 5, "b": 3})
        assert answer["finish_reason"] == "tool_calls"

    play(asked)


@pytest.mark.parametrize("more", [{}, {"tools": TOOLS}, {"stop": " 4"}, {"max_tokens": 3}])
def test_a_stream_is_the_whole_response(more: dict[str, Any]) -> None:
    async def asked(client: httpx.AsyncClient) -> None:
        given = body(COUNT, temperature=0, logprobs=True, return_token_ids=True, **more)
        whole = await choice(client, given)
        lines = (await client.post(PATH, json={**given, "stream": True})).text.split("\n")
        chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        parts = [chunk["choices"][0] for chunk in chunks]
        assert "".join(part["delta"].get("content") or "" for part in parts) == whole["message"]["content"]
        assert [id for part in parts for id in part["token_ids"] or ()] == whole["token_ids"]
        assert parts[-1]["finish_reason"] == whole["finish_reason"]

    play(asked)


def test_what_is_constrained_is_the_likeliest_that_is_allowed() -> None:
    async def asked(client: httpx.AsyncClient) -> None:
        given = body(COUNT, temperature=0, response_format=FORM, logprobs=True, top_logprobs=2)
        answer = await choice(client, given)
        assert json.loads(answer["message"]["content"]).keys() == {"count"}
        for entry in answer["logprobs"]["content"]:
            assert len(entry["top_logprobs"]) == 2
            assert entry["logprob"] == max(top["logprob"] for top in entry["top_logprobs"])

    play(asked)


def test_choices_differ_and_repeat_with_their_seed() -> None:
    async def asked(client: httpx.AsyncClient) -> None:
        given = body(CAPITAL, temperature=1.5, seed=3, n=3, max_tokens=12, ignore_eos=True)
        first, again = [(await client.post(PATH, json=given)).json()["choices"] for _ in range(2)]
        texts = [one["message"]["content"] for one in first]
        assert texts == [one["message"]["content"] for one in again]
        assert len(set(texts)) > 1

    play(asked)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_ends_the_generation(stream: bool) -> None:
    async def left(client: httpx.AsyncClient) -> None:
        given = body(COUNT, temperature=0, ignore_eos=True, max_tokens=3000, stream=stream)
        sending = asyncio.create_task(client.post(PATH, json=given))
        while 'running{engine="0",model_name="toy"} 1.0' not in (await client.get("/metrics")).text:
            await asyncio.sleep(0)
        sending.cancel()
        while 'running{engine="0",model_name="toy"} 0.0' not in (page := (await client.get("/metrics")).text):
            await asyncio.sleep(0)
        tokens = next(line for line in page.split("\n") if line.startswith("vllm:generation_tokens_total"))
        assert float(tokens.rpartition(" ")[2]) < 1000

    play(left)


def test_what_is_likelier_is_left_out_of_a_constrained_ranking() -> None:
    every = tuple(Scored(id, logprob, id + 1) for id, logprob in enumerate((-0.7, -1.4, -1.4, -6.0)))
    own, top = only_likeliest((every[1], every), 2)
    assert (own.id, own.rank, [one.id for one in top]) == (1, 1, [1, 2])
    assert own.logprob == pytest.approx(-0.698, abs=0.01)
