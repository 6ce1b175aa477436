"""The dialect `orcd`: its streams, cancellation, the queue, rejections and the state of the worker."""

import asyncio
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.tests.worker.support import executed, job, next_event, play, until_idle
from rollout_conformance.rollout_server.worker.generation import Generation


def kinds(events: list[Any]) -> list[str]:
    return [event["type"] for event in events]


def test_a_job_is_started_tokens_metrics_end() -> None:
    async def whole(client: httpx.AsyncClient) -> None:
        events = await executed(client, **job(max_tokens=3))
        assert kinds(events) == ["started", "token", "token", "token", "metrics", "end"]
        assert [event["i"] for event in events[1:4]] == [0, 1, 2]
        assert events[0]["job_id"] == "job-1"
        assert (events[-1]["tokens_out"], events[-1]["stop_reason"]) == (3, "max_tokens")

    play(whole)


def test_a_generated_seed_gives_the_job_again() -> None:
    async def twice(client: httpx.AsyncClient) -> None:
        body: dict[str, Any] = {"job_id": "a", "prompt": "Hello", "max_tokens": 30}
        first = await executed(client, **body)
        again = await executed(client, **body, seed=first[0]["seed"])
        other = await executed(client, **body, seed=first[0]["seed"] ^ 1)
        texts = [[event["t"] for event in events if event["type"] == "token"] for events in (first, again, other)]
        assert texts[0] == texts[1] != texts[2]

    play(twice)


def test_a_cancelled_job_ends_with_an_error_and_others_do_not() -> None:
    async def cancelled(client: httpx.AsyncClient) -> None:
        long = job(max_tokens=2048)
        async with (
            client.stream("POST", "/execute", json={**long, "job_id": "a"}) as one,
            client.stream("POST", "/execute", json={**long, "job_id": "b"}) as two,
        ):
            first, second = one.aiter_lines(), two.aiter_lines()
            for lines in (first, second):
                assert (await next_event(lines))["type"] == "started"
            reply = await client.post("/cancel", json={"job_id": "a"})
            assert (reply.status_code, reply.json()["cancelled"]) == (202, True)
            while (last := await next_event(first))["type"] == "token":
                pass
            assert (last["type"], last["code"], last["retriable"]) == ("error", "CANCELLED", False)
            with pytest.raises(EOFError):
                await next_event(first)
            assert (await client.get("/health")).json()["running"] == 1
        again = await client.post("/cancel", json={"job_id": "a"})
        assert (again.status_code, again.json()["cancelled"]) == (202, False)

    play(cancelled, token_delay_s=0.001)


def test_a_job_in_the_queue_is_cancelled_and_the_full_queue_refuses() -> None:
    async def queued(client: httpx.AsyncClient) -> None:
        long = job(max_tokens=2048)
        async with client.stream("POST", "/execute", json={**long, "job_id": "a"}) as one:
            lines = one.aiter_lines()  # whose end would close the connection
            await next_event(lines)
            waiting = asyncio.create_task(client.post("/execute", json={**long, "job_id": "b"}))
            while not (await client.get("/health")).json()["waiting"]:
                await asyncio.sleep(0)
            full = await client.post("/execute", json={**long, "job_id": "c"})
            assert (full.status_code, full.json()["code"], full.json()["retriable"]) == (503, "QUEUE_FULL", True)
            assert "Retry-After" in full.headers
            await client.post("/cancel", json={"job_id": "b"})
            assert "CANCELLED" in (await waiting).text
            assert (await client.get("/health")).json()["running"] == 1

    play(queued, slots=1, queue=1, token_delay_s=0.001)


def test_a_client_that_leaves_frees_its_slot() -> None:
    async def left(client: httpx.AsyncClient) -> None:
        for number in range(3):
            async with client.stream("POST", "/execute", json=job(job_id=f"l{number}", max_tokens=2048)) as response:
                await next_event(response.aiter_lines())
        await until_idle(client)
        assert kinds(await executed(client, **job(max_tokens=2)))[-1] == "end"
        assert 'outcome="abandoned"} 3.0' in (await client.get("/metrics")).text

    play(left, slots=1, token_delay_s=0.001)


def test_a_running_id_is_refused() -> None:
    async def repeated(client: httpx.AsyncClient) -> None:
        async with client.stream("POST", "/execute", json=job(max_tokens=2048)) as response:
            lines = response.aiter_lines()
            await next_event(lines)
            second = await client.post("/execute", json=job())
            assert (second.status_code, second.json()["code"]) == (409, "DUPLICATE_JOB")

    play(repeated, token_delay_s=0.001)


def test_memory_that_runs_out_fails_the_largest_job() -> None:
    async def full(client: httpx.AsyncClient) -> None:
        small, large = await asyncio.gather(
            executed(client, **job(job_id="small", max_tokens=4)),
            executed(client, **job(job_id="large", max_tokens=200)),
        )
        assert kinds(small)[-1] == "end"
        assert (large[-1]["code"], large[-1]["retriable"]) == ("VRAM_OOM", True)

    play(full, cache_tokens=60)


def test_a_job_whose_generation_raises_fails_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Generation.take

    def take(self: Generation, logits: Any) -> Any:
        if self.job.max_tokens == 5:
            raise RuntimeError("a defect of ours")
        return right(self, logits)

    monkeypatch.setattr(Generation, "take", take)

    async def both(client: httpx.AsyncClient) -> None:
        fails = executed(client, **job(job_id="fails", max_tokens=5))
        failed, other = await asyncio.gather(fails, executed(client, **job(job_id="other", max_tokens=6)))
        assert (failed[-1]["type"], failed[-1]["code"]) == ("error", "INFERENCE_FAILED")
        assert (other[-1]["type"], other[-1]["tokens_out"]) == ("end", 6)
        assert (await executed(client, **job(job_id="later", max_tokens=2)))[-1]["type"] == "end"

    play(both)


def test_a_job_that_takes_too_long_fails() -> None:
    async def slow(client: httpx.AsyncClient) -> None:
        events = await executed(client, **job(max_tokens=2048))
        assert events[-1]["code"] == "INFERENCE_TIMEOUT"

    play(slow, job_timeout_s=0.05, token_delay_s=0.01)


def test_every_violation_is_named_and_no_value_is_repeated() -> None:
    async def rejected(client: httpx.AsyncClient) -> None:
        body = {"job_id": "", "prompt": "secret-prompt", "temperature": 3, "stop": ["secret-stop", "", "x" * 101]}
        response = await client.post("/execute", json=body)
        found = {(one["field"], one["constraint"]) for one in response.json()["errors"]}
        assert response.status_code == 400
        assert found == {
            ("job_id", "non_empty"),
            ("temperature", "range(0.0..=2.0)"),
            ("stop", "non_empty"),
            ("stop", "max_length(100)"),
        }
        assert "secret" not in response.text

    play(rejected)


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [(b"{", "application/json", 400), (b"{}", "text/plain", 415), (b" " * 3_000_000, "application/json", 413)],
)
def test_what_is_no_json_is_rejected_as_an_error_body(content: bytes, media_type: str, status: int) -> None:
    async def rejected(client: httpx.AsyncClient) -> None:
        response = await client.post("/execute", content=content, headers={"Content-Type": media_type})
        assert (response.status_code, response.json()["code"]) == (status, "INVALID_REQUEST")

    play(rejected)


def test_a_worker_that_loads_refuses_jobs() -> None:
    async def loading(client: httpx.AsyncClient) -> None:
        health = await client.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "starting")
        refused = await client.post("/execute", json=job())
        assert (refused.status_code, refused.json()["code"]) == (503, "WORKER_UNHEALTHY")

    play(loading, load_delay_s=60)


def test_the_model_generates_what_it_was_trained_to() -> None:
    """A prompt as the chat template writes it."""

    async def answered(client: httpx.AsyncClient) -> None:
        question = "In one word, can you provide me the capital of France?"
        prompt = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        events = await executed(client, **job(prompt=prompt, max_tokens=20))
        assert "".join(event["t"] for event in events if event["type"] == "token") == "Paris"
        assert events[-1]["stop_reason"] == "eos"

    play(answered, stub=False)
