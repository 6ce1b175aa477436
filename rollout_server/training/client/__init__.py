"""A client of the dialect `signal`, synchronous and asynchronous.

    with SignalClient("http://127.0.0.1:9004", key) as client:
        run = client.create_run("reference/tiny-softmax", lora_r=8)
        for batch in batches:
            run.forward_backward(batch, accumulate=True)
        run.optim_step(learning_rate=1e-3)
        print(run.sample(["Hello"], max_tokens=8).outputs)

Calls that train carry a request id, so that repeating one after a lost connection does not train twice.
"""

from rollout_conformance.rollout_server.training.client.asynchronous import AsyncFuture, AsyncRun, AsyncSignalClient
from rollout_conformance.rollout_server.training.client.errors import (
    AuthenticationError,
    CallFailed,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NoConnection,
    NotFoundError,
    RateLimitError,
    ServerError,
    SignalError,
)
from rollout_conformance.rollout_server.training.client.results import (
    Artifact,
    ForwardBackwardResult,
    RunInfo,
    Samples,
    SavedState,
    StepResult,
)
from rollout_conformance.rollout_server.training.client.retries import Retries
from rollout_conformance.rollout_server.training.client.synchronous import Future, Run, SignalClient

__all__ = [
    "Artifact",
    "AsyncFuture",
    "AsyncRun",
    "AsyncSignalClient",
    "AuthenticationError",
    "CallFailed",
    "ConflictError",
    "ForbiddenError",
    "ForwardBackwardResult",
    "Future",
    "InvalidRequestError",
    "NoConnection",
    "NotFoundError",
    "RateLimitError",
    "Retries",
    "Run",
    "RunInfo",
    "Samples",
    "SavedState",
    "ServerError",
    "SignalClient",
    "SignalError",
    "StepResult",
]
