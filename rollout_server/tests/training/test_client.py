"""The client of the dialect `signal`: against the reference, and against servers that fail."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rollout_conformance.rollout_server.tests.rollout.support import DEADLINE_S
from rollout_conformance.rollout_server.tests.training.support import ALICE, BASE, BOB, serving
from rollout_conformance.rollout_server.training import client
from rollout_conformance.rollout_server.training.client import AsyncSignalClient, Retries, SignalClient

BATCH = [{"text": "Hello world, how are you?"}]
MORE = [{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}]


def against_the_reference(use: Callable[[str], Any]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(DEADLINE_S), serving() as url:
            made = use(url)
            if asyncio.iscoroutine(made):
                await made

    asyncio.run(whole())


def on_a_thread(use: Callable[[str], None]) -> None:
    against_the_reference(lambda url: asyncio.to_thread(use, url))


def whole_loop(url: str) -> None:
    with SignalClient(url, ALICE) as signal:
        assert BASE in signal.models()
        run = signal.create_run(BASE, lora_r=4, learning_rate=0.05)
        first = run.forward_backward(BATCH)
        added = run.forward_backward(MORE, accumulate=True)
        assert first.grad_norm != added.grad_norm
        step = run.optim_step()
        assert (step.step, step.learning_rate) == (1, 0.05)
        assert run.forward_backward(BATCH).loss < first.loss
        assert run.optim_step(0.01).learning_rate == 0.01
        samples = run.sample(["Hello", "The"], max_tokens=3, return_logprobs=True)
        assert len(samples.outputs) == 2
        assert samples.token_ids is not None
        assert samples.logprobs is not None
        assert [len(row) for row in samples.logprobs] == [len(row) for row in samples.token_ids]
        saved = run.save_state("merged")
        assert [one.artifact_uri for one in run.artifacts()] == [saved.artifact_uri]
        assert run.status().current_step == 2
        assert run.metrics()
        assert [one.run_id for one in signal.runs()] == [run.id]
        run.complete()
        with pytest.raises(client.ConflictError):
            run.optim_step()


def test_the_whole_loop() -> None:
    on_a_thread(whole_loop)


def futures(url: str) -> None:
    with SignalClient(url, ALICE) as signal:
        run = signal.create_run(BASE, lora_r=4)
        backward, step = run.forward_backward_async(BATCH), run.optim_step_async(0.1)
        assert step.result().step == 1
        assert backward.done()
        assert backward.result() == backward.result()
        assert not step.cancel()
        sampled, saved = run.sample_async(["Hello"], max_tokens=2), run.save_state_async()
        assert len(sampled.result().outputs) == 1
        assert saved.result().artifact_uri
        with pytest.raises(client.CallFailed, match="gradients"):
            run.optim_step_async().result()


def test_futures() -> None:
    on_a_thread(futures)


async def asynchronous_loop(url: str) -> None:
    async with AsyncSignalClient(url, ALICE) as signal:
        assert BASE in await signal.models()
        run = await signal.create_run(BASE, lora_r=4, learning_rate=0.05)
        first = await run.forward_backward(BATCH)
        await run.optim_step()
        second = await (await run.forward_backward_async(BATCH)).result()
        assert second.loss < first.loss
        assert (await run.status()).current_step == 1
        assert (await run.sample(["Hello"], max_tokens=2)).outputs
        many = [await signal.create_run(BASE, lora_r=4, learning_rate=0.05) for _ in range(3)]
        losses = await asyncio.gather(*(one.forward_backward(BATCH) for one in many))
        assert {one.loss for one in losses} == {first.loss}
        await run.save_state()
        assert len(await run.artifacts()) == 1
        await run.complete()


def test_the_asynchronous_loop() -> None:
    against_the_reference(asynchronous_loop)


def mistakes(url: str) -> None:
    with SignalClient(url, "tml-nobody-0000") as stranger, pytest.raises(client.AuthenticationError):
        stranger.runs()
    with SignalClient(url, ALICE) as alice, SignalClient(url, BOB) as bob:
        run = alice.create_run(BASE, lora_r=4)
        with pytest.raises(client.NotFoundError):
            bob.run(run.id).status()
        with pytest.raises(client.InvalidRequestError, match="loss_fn"):
            run.forward_backward(BATCH, loss_fn="nonsense")
        with pytest.raises(client.NotFoundError):
            alice.run("../models").status()


def test_mistakes_have_their_own_exceptions() -> None:
    on_a_thread(mistakes)


class Failing:
    """Answers with `first`, then with success. An exception is raised; a number is a status."""

    def __init__(self, *first: int | Exception, headers: dict[str, str] | None = None) -> None:
        self.left = list(first)
        self.headers = headers or {}
        self.sent: list[tuple[str, bytes]] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((request.url.path, request.content))
        if self.left:
            outcome = self.left.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return httpx.Response(outcome, json={"error": "in words"}, headers=self.headers)
        return httpx.Response(200, json=SUCCESS)

    def client(self, most: int = 4) -> SignalClient:
        return SignalClient(
            "http://server",
            "key",
            retries=Retries(most, 1.0, 8.0),
            transport=httpx.MockTransport(self),
            sleep=self.pauses.append,
        )


SUCCESS = {
    "step": 1, "learning_rate": 0.1, "run_id": "run_1", "base_model": "a/b", "status": "running", "current_step": 0, "config": {},
    "artifact_uri": "a", "checkpoint_path": "a", "models": ["a/b"],
}  # fmt: skip
LOST = httpx.ReadError("the connection was reset")
REFUSED = httpx.ConnectError("connection refused")


@pytest.mark.parametrize("failure", [503, 500, 429, LOST, REFUSED], ids=str)
def test_a_step_is_sent_again_with_its_request_id(failure: int | Exception) -> None:
    server = Failing(failure, failure)
    with server.client() as signal:
        assert signal.run("run_1").optim_step(0.1).step == 1
    assert len(server.sent) == 3
    assert len({body for _, body in server.sent}) == 1
    assert b"request_id" in server.sent[0][1]


def test_different_steps_have_different_request_ids() -> None:
    server = Failing()
    with server.client() as signal:
        signal.run("run_1").optim_step(0.1)
        signal.run("run_1").optim_step(0.1)
    assert len({body for _, body in server.sent}) == 2


@pytest.mark.parametrize("failure", [503, LOST], ids=str)
def test_what_may_have_been_carried_out_is_not_sent_again(failure: int | Exception) -> None:
    """A save and a new run have no request id."""
    unnamed: tuple[Callable[[SignalClient], Any], ...] = (
        lambda signal: signal.run("run_1").save_state(),
        lambda signal: signal.create_run("a/b"),
    )
    for use in unnamed:
        server = Failing(failure)
        with server.client() as signal, pytest.raises(client.SignalError):
            use(signal)
        assert len(server.sent) == 1


@pytest.mark.parametrize("failure", [429, REFUSED], ids=str)
def test_what_was_not_carried_out_is_sent_again(failure: int | Exception) -> None:
    server = Failing(failure)
    with server.client() as signal:
        assert signal.run("run_1").save_state().artifact_uri == "a"
    assert len(server.sent) == 2


def test_pauses_double_and_end() -> None:
    server = Failing(503, 503, 503, 503)
    with server.client() as signal, pytest.raises(client.ServerError, match="in words") as raised:
        signal.models()
    assert raised.value.status == 503
    assert len(server.sent) == 4
    assert [0.8 * n <= pause <= n for n, pause in zip((1, 2, 4), server.pauses, strict=True)] == [True] * 3


def test_the_server_names_the_pause() -> None:
    server = Failing(429, headers={"Retry-After": "5"})
    with server.client() as signal:
        signal.models()
    assert server.pauses == [5.0]


KINDS = {
    400: client.InvalidRequestError, 401: client.AuthenticationError, 403: client.ForbiddenError, 404: client.NotFoundError,
    409: client.ConflictError, 422: client.InvalidRequestError, 429: client.RateLimitError, 500: client.ServerError, 503: client.ServerError,
}  # fmt: skip


@pytest.mark.parametrize("status", KINDS)
def test_statuses_have_their_own_exceptions(status: int) -> None:
    server = Failing(status)
    with server.client(most=1) as signal, pytest.raises(client.SignalError) as raised:
        signal.models()
    assert type(raised.value) is KINDS[status]


def test_a_response_without_its_members_is_an_error() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"other": 1}))
    with SignalClient("http://server", "key", transport=transport) as signal, pytest.raises(client.ServerError):
        signal.models()
    pages = httpx.MockTransport(lambda request: httpx.Response(200, text="<html>"))
    with SignalClient("http://server", "key", transport=pages) as signal, pytest.raises(client.ServerError):
        signal.run("run_1").status()


def test_the_asynchronous_client_retries_too() -> None:
    server = Failing(LOST, 503)

    async def pause(seconds: float) -> None:
        server.pauses.append(seconds)

    async def whole() -> None:
        transport = httpx.MockTransport(server)
        async with AsyncSignalClient("http://server", "key", transport=transport, sleep=pause) as signal:
            assert (await signal.run("run_1").optim_step()).step == 1

    asyncio.run(whole())
    assert len(server.sent) == 3
    assert len(server.pauses) == 2


def test_a_future_that_stays_pending_is_given_up() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"future_id": "f", "status": "pending"}))
    with SignalClient("http://server", "key", transport=transport, sleep=lambda _: None) as signal:
        future = signal.run("run_1").optim_step_async()
        with pytest.raises(TimeoutError):
            future.result(timeout_s=0)
