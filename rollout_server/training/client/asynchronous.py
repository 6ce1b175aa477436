"""The asynchronous client. It has the methods of the synchronous one, all of them coroutines."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Self

import httpx

from rollout_conformance.rollout_server.training.client import calls, polling, retries
from rollout_conformance.rollout_server.training.client.calls import Call, Example, T
from rollout_conformance.rollout_server.training.client.results import (
    Artifact,
    ForwardBackwardResult,
    RunInfo,
    Samples,
    SavedState,
    StepResult,
)
from rollout_conformance.rollout_server.training.client.retries import Attempts, Retries
from rollout_conformance.rollout_server.training.client.synchronous import TIMEOUT_S


class AsyncSignalClient:
    """Close it, or use it in an `async with` statement. `transport` and `sleep` are for tests."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        retries: Retries | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"}
        self._http = httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout_s, transport=transport)
        self._retries = retries or Retries()
        self.sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def perform(self, call: Call[T]) -> T:
        """Raises `SignalError`."""
        attempts = Attempts(self._retries)
        while True:
            try:
                response = await self._http.request(call.method, call.path, json=call.body)
            except httpx.TransportError as error:
                pause = attempts.next(call, error=error)
                if pause is None:
                    raise retries.failure(error, attempts.tries) from error
            else:
                pause = attempts.next(call, response) if not response.is_success else None
                if pause is None:
                    return retries.read(call, response)
            await self.sleep(pause)

    async def models(self) -> list[str]:
        """The base models that runs can have."""
        return await self.perform(calls.models())

    async def runs(self) -> list[RunInfo]:
        return await self.perform(calls.runs())

    async def create_run(self, base_model: str, **config: Any) -> "AsyncRun":
        """`config`: lora_r, lora_alpha, learning_rate and the other members of the API."""
        return AsyncRun(self, (await self.perform(calls.create_run(base_model, config))).run_id)

    def run(self, run_id: str) -> "AsyncRun":
        """One that exists. Nothing is sent."""
        return AsyncRun(self, run_id)


class AsyncRun:
    """One run. Each call that computes exists a second time as `…_async`, which returns a future at once."""

    def __init__(self, client: AsyncSignalClient, run_id: str) -> None:
        self.client = client
        self.id = run_id

    async def forward_backward(
        self, batch: Sequence[Example], *, accumulate: bool = False, loss_fn: str = "causal_lm", **more: Any
    ) -> ForwardBackwardResult:
        """Without `accumulate` earlier gradients are discarded."""
        return await self.client.perform(calls.forward_backward(self.id, batch, accumulate, loss_fn, more))

    async def optim_step(self, learning_rate: float | None = None) -> StepResult:
        """`learning_rate` is for this step alone; None: that of the run."""
        return await self.client.perform(calls.optim_step(self.id, learning_rate))

    async def sample(self, prompts: Sequence[str], **options: Any) -> Samples:
        """`options`: max_tokens, temperature, top_p, return_logprobs."""
        return await self.client.perform(calls.sample(self.id, prompts, options))

    async def save_state(self, mode: str = "adapter") -> SavedState:
        return await self.client.perform(calls.save_state(self.id, mode))

    async def forward_backward_async(
        self, batch: Sequence[Example], *, accumulate: bool = False, loss_fn: str = "causal_lm", **more: Any
    ) -> "AsyncFuture[ForwardBackwardResult]":
        return await self._defer(calls.forward_backward(self.id, batch, accumulate, loss_fn, more))

    async def optim_step_async(self, learning_rate: float | None = None) -> "AsyncFuture[StepResult]":
        return await self._defer(calls.optim_step(self.id, learning_rate))

    async def sample_async(self, prompts: Sequence[str], **options: Any) -> "AsyncFuture[Samples]":
        return await self._defer(calls.sample(self.id, prompts, options))

    async def save_state_async(self, mode: str = "adapter") -> "AsyncFuture[SavedState]":
        return await self._defer(calls.save_state(self.id, mode))

    async def _defer(self, call: Call[T]) -> "AsyncFuture[T]":
        return AsyncFuture(self.client, await self.client.perform(call.deferred()), call)

    async def status(self) -> RunInfo:
        return await self.client.perform(calls.status(self.id))

    async def metrics(self) -> list[dict[str, Any]]:
        return await self.client.perform(calls.metrics(self.id))

    async def artifacts(self) -> list[Artifact]:
        return await self.client.perform(calls.artifacts(self.id))

    async def complete(self) -> None:
        """The run takes no more training calls."""
        await self.client.perform(calls.complete(self.id))


class AsyncFuture(Generic[T]):
    """A call that runs on the server."""

    def __init__(self, client: AsyncSignalClient, future_id: str, call: Call[T]) -> None:
        self.client = client
        self.id = future_id
        self._call = call

    async def done(self) -> bool:
        return not polling.is_pending(await self.client.perform(calls.future(self.id)))

    async def result(self, timeout_s: float = 300.0) -> T:
        """Waits for it. Raises `SignalError`, and `TimeoutError` when it is still pending after so long."""
        ends, polls = time.monotonic() + timeout_s, 0
        while polling.is_pending(state := await self.client.perform(calls.future(self.id))):
            if time.monotonic() > ends:
                raise TimeoutError(f"The future {self.id} is still pending after {timeout_s} s")
            await self.client.sleep(polling.pause(polls))
            polls += 1
        return polling.result(self._call, state)

    async def cancel(self) -> bool:
        """Whether it will not run; what has begun is finished."""
        return await self.client.perform(calls.cancel(self.id))
