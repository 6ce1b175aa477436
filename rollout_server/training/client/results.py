"""The results of calls. Members that a server adds are ignored."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Result(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


class RunInfo(_Result):
    """`current_step` counts the optimizer steps."""

    run_id: str
    base_model: str
    status: str
    current_step: int
    config: dict[str, Any]


class ForwardBackwardResult(_Result):
    """`loss` is a mean over target tokens; `grad_norm` that of all gradients since the last step."""

    loss: float
    step: int
    grad_norm: float | None = None
    metrics: dict[str, Any] = {}


class StepResult(_Result):
    """`learning_rate` is the one that was used."""

    step: int
    learning_rate: float
    metrics: dict[str, Any] = {}


class Samples(_Result):
    """One entry for each prompt; `logprobs` has one value for each token where they were asked for."""

    outputs: list[str]
    token_ids: list[list[int]] | None = None
    logprobs: list[list[float]] | None = None


class SavedState(_Result):
    artifact_uri: str
    checkpoint_path: str


class Artifact(_Result):
    id: str
    step: int
    mode: Literal["adapter", "merged"]
    artifact_uri: str


class FutureState(_Result):
    """`result` once the status is `completed`, `error` once it is `failed`."""

    status: str
    result: dict[str, Any] | None = None
    error: str | None = None
