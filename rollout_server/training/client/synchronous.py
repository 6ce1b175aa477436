"""The synchronous client."""

import time
from collections.abc import Callable, Sequence
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

TIMEOUT_S = 150.0  # longer than the server holds a call whose turn has not come


class SignalClient:
    """Close it, or use it in a `with` statement. `transport` and `sleep` are for tests."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        retries: Retries | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"}
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout_s, transport=transport)
        self._retries = retries or Retries()
        self.sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def perform(self, call: Call[T]) -> T:
        """Raises `SignalError`."""
        attempts = Attempts(self._retries)
        while True:
            try:
                response = self._http.request(call.method, call.path, json=call.body)
            except httpx.TransportError as error:
                pause = attempts.next(call, error=error)
                if pause is None:
                    raise retries.failure(error, attempts.tries) from error
            else:
                pause = attempts.next(call, response) if not response.is_success else None
                if pause is None:
                    return retries.read(call, response)
            self.sleep(pause)

    def models(self) -> list[str]:
        """The base models that runs can have."""
        return self.perform(calls.models())

    def runs(self) -> list[RunInfo]:
        return self.perform(calls.runs())

    def create_run(self, base_model: str, **config: Any) -> "Run":
        """`config`: lora_r, lora_alpha, learning_rate and the other members of the API."""
        return Run(self, self.perform(calls.create_run(base_model, config)).run_id)

    def run(self, run_id: str) -> "Run":
        """One that exists. Nothing is sent."""
        return Run(self, run_id)


class Run:
    """One run. Each call that computes exists a second time as `…_async`, which returns a future at once."""

    def __init__(self, client: SignalClient, run_id: str) -> None:
        self.client = client
        self.id = run_id

    def forward_backward(
        self, batch: Sequence[Example], *, accumulate: bool = False, loss_fn: str = "causal_lm", **more: Any
    ) -> ForwardBackwardResult:
        """Without `accumulate` earlier gradients are discarded."""
        return self.client.perform(calls.forward_backward(self.id, batch, accumulate, loss_fn, more))

    def optim_step(self, learning_rate: float | None = None) -> StepResult:
        """`learning_rate` is for this step alone; None: that of the run."""
        return self.client.perform(calls.optim_step(self.id, learning_rate))

    def sample(self, prompts: Sequence[str], **options: Any) -> Samples:
        """`options`: max_tokens, temperature, top_p, return_logprobs."""
        return self.client.perform(calls.sample(self.id, prompts, options))

    def save_state(self, mode: str = "adapter") -> SavedState:
        return self.client.perform(calls.save_state(self.id, mode))

    def forward_backward_async(
        self, batch: Sequence[Example], *, accumulate: bool = False, loss_fn: str = "causal_lm", **more: Any
    ) -> "Future[ForwardBackwardResult]":
        return self._defer(calls.forward_backward(self.id, batch, accumulate, loss_fn, more))

    def optim_step_async(self, learning_rate: float | None = None) -> "Future[StepResult]":
        return self._defer(calls.optim_step(self.id, learning_rate))

    def sample_async(self, prompts: Sequence[str], **options: Any) -> "Future[Samples]":
        return self._defer(calls.sample(self.id, prompts, options))

    def save_state_async(self, mode: str = "adapter") -> "Future[SavedState]":
        return self._defer(calls.save_state(self.id, mode))

    def _defer(self, call: Call[T]) -> "Future[T]":
        return Future(self.client, self.client.perform(call.deferred()), call)

    def status(self) -> RunInfo:
        return self.client.perform(calls.status(self.id))

    def metrics(self) -> list[dict[str, Any]]:
        return self.client.perform(calls.metrics(self.id))

    def artifacts(self) -> list[Artifact]:
        return self.client.perform(calls.artifacts(self.id))

    def complete(self) -> None:
        """The run takes no more training calls."""
        self.client.perform(calls.complete(self.id))


class Future(Generic[T]):
    """A call that runs on the server."""

    def __init__(self, client: SignalClient, future_id: str, call: Call[T]) -> None:
        self.client = client
        self.id = future_id
        self._call = call

    def done(self) -> bool:
        return not polling.is_pending(self.client.perform(calls.future(self.id)))

    def result(self, timeout_s: float = 300.0) -> T:
        """Waits for it. Raises `SignalError`, and `TimeoutError` when it is still pending after so long."""
        ends, polls = time.monotonic() + timeout_s, 0
        while polling.is_pending(state := self.client.perform(calls.future(self.id))):
            if time.monotonic() > ends:
                raise TimeoutError(f"The future {self.id} is still pending after {timeout_s} s")
            self.client.sleep(polling.pause(polls))
            polls += 1
        return polling.result(self._call, state)

    def cancel(self) -> bool:
        """Whether it will not run; what has begun is finished."""
        return self.client.perform(calls.cancel(self.id))
