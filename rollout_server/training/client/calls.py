"""The calls of the API as values: what is sent, how the response is read, and whether it may be sent twice. No I/O."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from rollout_conformance.rollout_server.training.client.results import (
    Artifact,
    ForwardBackwardResult,
    FutureState,
    RunInfo,
    Samples,
    SavedState,
    StepResult,
)

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Example = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """`repeatable`: doing it twice is doing it once. What is not is sent again only if it was certainly not carried out."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    read: Callable[[Any], T]
    body: Mapping[str, Any] | None = None
    repeatable: bool = True

    def deferred(self) -> "Call[str]":
        """The same call by a future. Reads its id."""
        return Call(
            self.method, f"{self.path}_async", lambda given: str(given["future_id"]), self.body, self.repeatable
        )


def of(model: type[M]) -> Callable[[Any], M]:
    return model.model_validate


def listed(member: str, model: type[M]) -> Callable[[Any], list[M]]:
    return lambda given: [model.model_validate(one) for one in given[member]]


def given(**members: Any) -> dict[str, Any]:
    """Members without a value are left out: the server has defaults."""
    return {name: value for name, value in members.items() if value is not None}


def at(run: str) -> str:
    return f"/runs/{quote(run, safe='')}"


def models() -> Call[list[str]]:
    return Call("GET", "/models", lambda found: [str(name) for name in found["models"]])


def runs() -> Call[list[RunInfo]]:
    return Call("GET", "/runs", listed("runs", RunInfo))


def create_run(base_model: str, config: Mapping[str, Any]) -> Call[RunInfo]:
    return Call("POST", "/runs", of(RunInfo), {"base_model": base_model, **config}, repeatable=False)


def status(run: str) -> Call[RunInfo]:
    return Call("GET", f"{at(run)}/status", of(RunInfo))


def metrics(run: str) -> Call[list[dict[str, Any]]]:
    return Call("GET", f"{at(run)}/metrics", lambda found: [dict(one) for one in found["metrics"]])


def artifacts(run: str) -> Call[list[Artifact]]:
    return Call("GET", f"{at(run)}/artifacts", listed("artifacts", Artifact))


def complete(run: str) -> Call[None]:
    return Call("POST", f"{at(run)}/complete", lambda _: None)


def forward_backward(
    run: str, batch: Sequence[Example], accumulate: bool, loss_fn: str, more: Mapping[str, Any]
) -> Call[ForwardBackwardResult]:
    body = {"batch_data": list(batch), "accumulate": accumulate, "loss_fn": loss_fn, "request_id": new_id(), **more}
    return Call("POST", f"{at(run)}/forward_backward", of(ForwardBackwardResult), body)


def optim_step(run: str, learning_rate: float | None) -> Call[StepResult]:
    body = given(learning_rate=learning_rate, request_id=new_id())
    return Call("POST", f"{at(run)}/optim_step", of(StepResult), body)


def sample(run: str, prompts: Sequence[str], options: Mapping[str, Any]) -> Call[Samples]:
    return Call("POST", f"{at(run)}/sample", of(Samples), {"prompts": list(prompts), **options})


def save_state(run: str, mode: str) -> Call[SavedState]:
    """Has no request id: a second one is a second artifact."""
    return Call("POST", f"{at(run)}/save_state", of(SavedState), {"mode": mode}, repeatable=False)


def future(future_id: str) -> Call[FutureState]:
    return Call("GET", f"/futures/{quote(future_id, safe='')}", of(FutureState))


def cancel(future_id: str) -> Call[bool]:
    """Whether it will not run."""
    return Call("DELETE", f"/futures/{quote(future_id, safe='')}", lambda found: bool(found["status"] == "cancelled"))


def new_id() -> str:
    return uuid.uuid4().hex
