"""Every dialect: its stream is its response without a stream, its counters are the tokens, and its rejections are its own."""

from itertools import pairwise
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.common.settings import SHIPPED_TOKENIZER
from rollout_conformance.rollout_server.tests.worker.support import data, executed, play
from rollout_conformance.rollout_server.worker import vocabulary

IDS = vocabulary.load(SHIPPED_TOKENIZER, "WORKER_TOKENIZER").encode("Hello 日本 🎉")
PROMPT = "Hello 日本 🎉"
VLLM, SGLANG, TGI, LLAMA = "/inference/v1/generate", "/generate", "/generate_stream", "/completion"


def vllm(**sampling: Any) -> dict[str, Any]:
    params = {"temperature": 0, "max_tokens": 24, "logprobs": 1, **sampling}
    return {"request_id": "v", "token_ids": [*IDS], "sampling_params": params, "output_mode": "text"}


def sglang(**sampling: Any) -> dict[str, Any]:
    params = {"temperature": 0, "max_new_tokens": 24, **sampling}
    return {"rid": "s", "text": PROMPT, "sampling_params": params, "return_logprob": True}


def tgi(**parameters: Any) -> dict[str, Any]:
    return {"inputs": PROMPT, "parameters": {"max_new_tokens": 24, "details": True, **parameters}}


def llama(**members: Any) -> dict[str, Any]:
    return {
        "prompt": PROMPT,
        "n_predict": 24,
        "temperature": 0,
        "n_probs": 1,
        "return_tokens": True,
        "seed": 1,
        **members,
    }


async def posted(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    response = await client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def test_vllm_streams_what_it_returns() -> None:
    async def both(client: httpx.AsyncClient) -> None:
        whole = (await posted(client, VLLM, vllm()))["choices"][0]
        more: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
        *chunks, counted, done = await executed(client, VLLM, **vllm(), **more)
        choices = [chunk["choices"][0] for chunk in chunks]
        assert done == "[DONE]"
        assert counted["usage"]["completion_tokens"] == 24 == len(whole["token_ids"])
        assert [id for one in choices for id in one["token_ids"]] == whole["token_ids"]
        assert [e for one in choices for e in one["logprobs"]["content"]] == whole["logprobs"]["content"]
        assert "".join(one["text"] for one in choices) == whole["text"]
        assert [one["finish_reason"] for one in choices] == [None] * 23 + ["length"]
        assert (
            choices[-1]["weight_versions"]
            == whole["weight_versions"]
            == [{"version": "default", "start": 0, "end": 24}]
        )

    play(both)


def test_sglang_events_hold_all_that_was_generated() -> None:
    async def both(client: httpx.AsyncClient) -> None:
        whole = await posted(client, SGLANG, sglang())
        *events, done = await executed(client, SGLANG, **sglang(), stream=True)
        assert done == "[DONE]"
        assert events[-1] == whole
        for before, now in pairwise(events):
            assert now["text"].startswith(before["text"])
            assert now["output_ids"][:-1] == before["output_ids"]
        assert whole["meta_info"]["finish_reason"] == {"type": "length", "length": 24}
        assert len(whole["meta_info"]["output_token_logprobs"]) == whole["meta_info"]["completion_tokens"] == 24

    play(both)


def test_tgi_ends_with_the_whole_text() -> None:
    async def both(client: httpx.AsyncClient) -> None:
        whole = await posted(client, SGLANG, tgi())
        events = await executed(client, TGI, **tgi())
        assert [event["index"] for event in events] == [*range(1, 25)]
        assert [event["generated_text"] for event in events[:-1]] == [None] * 23
        assert events[-1]["generated_text"] == whole["generated_text"] == "".join(e["token"]["text"] for e in events)
        assert [event["token"] for event in events] == whole["details"]["tokens"]
        assert events[-1]["details"] == {"finish_reason": "length", "generated_tokens": 24, "seed": None}

    play(both)


def test_llamacpp_ends_with_its_counters() -> None:
    async def both(client: httpx.AsyncClient) -> None:
        whole = await posted(client, LLAMA, llama())
        *events, last = await executed(client, LLAMA, **llama(stream=True))
        assert "".join(event["content"] for event in events) == whole["content"]
        assert [id for event in events for id in event["tokens"]] == whole["tokens"]
        assert [e for event in events for e in event["completion_probabilities"]] == whole["completion_probabilities"]
        assert last["stop"] is True
        assert last["stop_type"] == whole["stop_type"] == "limit"
        assert last["tokens_predicted"] == whole["tokens_predicted"] == 24
        assert last["generation_settings"]["seed"] == 1

    play(both)


def test_all_dialects_sample_the_same_tokens() -> None:
    async def all_of_them(client: httpx.AsyncClient) -> None:
        texts = [
            (await posted(client, VLLM, vllm()))["choices"][0]["text"],
            (await posted(client, SGLANG, sglang()))["text"],
            (await posted(client, SGLANG, tgi()))["generated_text"],
            (await posted(client, LLAMA, llama()))["content"],
        ]
        orcd: dict[str, Any] = {"job_id": "o", "prompt": PROMPT, "max_tokens": 24, "temperature": 0}
        tokens = [event for event in await executed(client, **orcd) if event["type"] == "token"]
        assert {*texts} == {"".join(token["t"] for token in tokens)}
        assert "�" not in texts[0]
        assert not texts[0].isascii()

    play(all_of_them)


def test_a_stop_text_ends_each_dialect_by_its_rule() -> None:
    async def stopped(client: httpx.AsyncClient) -> None:
        text = (await posted(client, LLAMA, llama()))["content"]
        stop = text[4:7]
        before = text[: text.index(stop)]
        v = (await posted(client, VLLM, vllm(stop=[stop])))["choices"][0]
        s = await posted(client, SGLANG, sglang(stop=stop))
        t = await posted(client, SGLANG, tgi(stop=[stop]))
        c = await posted(client, LLAMA, llama(stop=[stop]))
        assert (v["text"], v["finish_reason"], v["stop_reason"]) == (before, "stop", stop)
        assert (s["text"], s["meta_info"]["finish_reason"]) == (before, {"type": "stop", "matched": stop})
        assert (t["generated_text"], t["details"]["finish_reason"]) == (before + stop, "stop_sequence")
        assert (c["content"], c["stop_type"], c["stopping_word"]) == (before, "word", stop)
        assert len(v["token_ids"]) == s["meta_info"]["completion_tokens"] == c["tokens_predicted"]

    play(stopped)


REJECTED = [
    (VLLM, {**vllm(), "token_ids": []}, 400),
    (VLLM, {**vllm(), "token_ids": [99_999]}, 400),
    (VLLM, vllm(max_tokens=0), 400),
    (SGLANG, {"sampling_params": {}}, 400),
    (SGLANG, {**sglang(), "input_ids": [1]}, 400),
    (SGLANG, sglang(top_p=0), 400),
    (SGLANG, tgi(max_new_tokens=0), 422),
    (TGI, tgi(temperature=0), 422),
    (TGI, tgi(stop=["a"] * 5), 422),
    (LLAMA, {"prompt": ""}, 400),
    (LLAMA, llama(n_predict=0), 400),
    (LLAMA, llama(prompt=[1, "x", 99_999]), 400),
]


@pytest.mark.parametrize(("path", "body", "status"), REJECTED)
def test_a_bad_request_is_rejected_before_the_stream(path: str, body: Any, status: int) -> None:
    async def rejected(client: httpx.AsyncClient) -> None:
        response = await client.post(path, json=body)
        assert response.status_code == status, response.text
        assert response.json()["error"]

    play(rejected)


@pytest.mark.parametrize("path", [VLLM, SGLANG, TGI, LLAMA])
@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b"\xff"])
def test_what_is_no_json_object_is_rejected(path: str, content: bytes) -> None:
    async def rejected(client: httpx.AsyncClient) -> None:
        response = await client.post(path, content=content, headers={"Content-Type": "application/json"})
        assert response.status_code in (400, 422)
        assert response.json()["error"]

    play(rejected)


@pytest.mark.parametrize(
    ("path", "body", "abort", "ids"),
    [
        (VLLM, vllm(max_tokens=5000), "/abort_requests", {"request_ids": ["v"]}),
        (SGLANG, sglang(max_new_tokens=5000), "/abort_request", {"rid": "s"}),
        (SGLANG, sglang(max_new_tokens=5000), "/abort_request", {"abort_all": True}),
    ],
)
def test_an_aborted_job_keeps_its_tokens_and_says_so(path: str, body: Any, abort: str, ids: Any) -> None:
    async def aborted(client: httpx.AsyncClient) -> None:
        async with client.stream("POST", path, json={**body, "stream": True}) as response:
            lines, text = response.aiter_lines(), ""
            async for line in lines:
                text += f"{line}\n"
                if text.count("data:") == 3:
                    break
            assert (await client.post(abort, json=ids)).status_code == 200
            text += "\n".join([line async for line in lines])
        *_, last, done = data(text)
        reason = last["choices"][0]["finish_reason"] if path == VLLM else last["meta_info"]["finish_reason"]["type"]
        assert (reason, done) == ("abort", "[DONE]")
        assert (await client.post(abort, json=ids)).status_code == 200

    play(aborted, token_delay_s=0.001)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [(VLLM, vllm(), 500), (SGLANG, sglang(), 500), (SGLANG, tgi(), 424), (LLAMA, llama(), 500)],
)
def test_a_model_that_fails_is_an_error_and_no_end(path: str, body: Any, status: int) -> None:
    async def failing(client: httpx.AsyncClient) -> None:
        assert (await client.post(path, json=body)).status_code == status
        streamed = TGI if "inputs" in body else path
        events = await executed(client, streamed, **{**body, "stream": True})
        found = [event for event in events if event != "[DONE]"]
        assert len(found) == 4
        assert found[-1]["error"]
        assert not any("error" in event for event in found[:-1])

    play(failing, fail_after=3)
