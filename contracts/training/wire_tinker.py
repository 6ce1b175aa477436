"""The messages of the dialect `tinker-json` as pydantic models, as the reference training server validates them.

Unknown members are refused: a server that ignores an option trains something else than it was asked for. Numbers are strict, but an integral
float is an integer, as in JSON Schema. The models say nothing about values that depend on the model, such as the size of its vocabulary.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from rollout_conformance.contracts.rollout.wire import Integer, Number

Id = Annotated[StrictStr, Field(min_length=1, max_length=256)]
Seq = Annotated[Integer, Field(ge=0, lt=2**63)]
Tokens = list[StrictInt]
Values = list[StrictInt | StrictFloat]
Metadata = dict[StrictStr, Any]


class _Message(BaseModel):
    """`implied`: members that later SDKs always send, with the one value that means the same as their absence. Any other value is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    implied: ClassVar[Mapping[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _without_implied(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not cls.implied.keys() & value.keys():
            return value
        return {name: one for name, one in value.items() if name not in cls.implied or one != cls.implied[name]}


class ClientConfig(_Message):
    sdk_version: StrictStr | None = None


class CreateSession(_Message):
    tags: list[StrictStr] = []
    user_metadata: Metadata | None = None
    sdk_version: StrictStr | None = None
    project_id: StrictStr | None = None
    type: Literal["create_session"] = "create_session"


class Heartbeat(_Message):
    session_id: Id
    type: Literal["session_heartbeat"] = "session_heartbeat"


class Telemetry(BaseModel):
    """Accepted and dropped; the events are not part of the contract."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    session_id: Id


class LoraConfig(_Message):
    rank: Annotated[Integer, Field(ge=1)]
    seed: Annotated[Integer, Field(ge=0, lt=2**63)] | None = None
    train_unembed: StrictBool = True
    train_mlp: StrictBool = True
    train_attn: StrictBool = True


class CreateModel(_Message):
    implied = {"optimizer_config": {"type": "adamw"}}

    session_id: Id
    model_seq_id: Seq
    base_model: StrictStr
    user_metadata: Metadata | None = None
    lora_config: LoraConfig | None = None
    type: Literal["create_model"] = "create_model"


class ModelRequest(_Message):
    """`get_info` and `unload_model`."""

    model_id: Id
    type: Literal["get_info", "unload_model"] | None = None


class TensorData(_Message):
    """Dense, or sparse in CSR form when both index lists are present; then `shape` is the dense shape."""

    data: Values
    dtype: Literal["int64", "float32"]
    shape: list[StrictInt] | None = None
    sparse_crow_indices: list[StrictInt] | None = None
    sparse_col_indices: list[StrictInt] | None = None


class TextChunk(_Message):
    tokens: Tokens
    type: Literal["encoded_text"] = "encoded_text"


class ModelInput(_Message):
    chunks: list[TextChunk]


class Datum(_Message):
    model_input: ModelInput
    loss_fn_inputs: dict[StrictStr, TensorData]


class LossInput(_Message):
    data: Annotated[list[Datum], Field(min_length=1)]
    loss_fn: StrictStr
    loss_fn_config: dict[StrictStr, Number] | None = None


class Forward(_Message):
    model_id: Id
    seq_id: Seq | None = None
    forward_input: LossInput
    type: Literal["forward"] | None = None


class ForwardBackward(_Message):
    model_id: Id
    seq_id: Seq | None = None
    forward_backward_input: LossInput
    type: Literal["forward_backward"] | None = None


class AdamParams(_Message):
    learning_rate: Annotated[Number, Field(ge=0)] = 1e-4
    beta1: Annotated[Number, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[Number, Field(ge=0, lt=1)] = 0.95
    eps: Annotated[Number, Field(gt=0)] = 1e-12
    weight_decay: Annotated[Number, Field(ge=0)] = 0.0
    grad_clip_norm: Annotated[Number, Field(ge=0)] = 0.0


class OptimStep(_Message):
    model_id: Id
    seq_id: Seq | None = None
    adam_params: AdamParams
    type: Literal["optim_step"] = "optim_step"


class SamplingParams(_Message):
    """`stop`: null is the end-of-sequence token, an empty list is no stop at all."""

    max_tokens: Annotated[Integer, Field(ge=1)] | None = None
    seed: Annotated[Integer, Field(ge=0, lt=2**63)] | None = None
    stop: StrictStr | list[StrictStr] | list[StrictInt] | None = None
    temperature: Annotated[Number, Field(ge=0)] = 1.0
    top_k: Annotated[Integer, Field(ge=-1)] = -1
    top_p: Annotated[Number, Field(gt=0, le=1)] = 1.0


class Sample(_Message):
    """Exactly one of `base_model`, `model_path` and `sampling_session_id`; the last needs `seq_id`."""

    implied = {"topk_sample_logprobs": 0, "prompt_alt_tokens_k": 0, "record_stability_info": False}

    num_samples: Annotated[Integer, Field(ge=1)] = 1
    prompt: ModelInput
    sampling_params: SamplingParams
    base_model: StrictStr | None = None
    model_path: StrictStr | None = None
    sampling_session_id: Id | None = None
    seq_id: Seq | None = None
    prompt_logprobs: StrictBool | None = None
    topk_prompt_logprobs: Annotated[Integer, Field(ge=0)] = 0
    type: Literal["sample"] = "sample"


class SaveWeights(_Message):
    model_id: Id
    path: StrictStr | None = None
    seq_id: Seq | None = None
    ttl_seconds: Annotated[Integer, Field(ge=1)] | None = None
    overwrite: StrictBool = False
    type: Literal["save_weights"] = "save_weights"


class SaveWeightsForSampler(_Message):
    """With `path`: a named checkpoint. Without: a sampling session, numbered by `sampling_session_seq_id`."""

    implied = {"kind": "snapshot"}

    model_id: Id
    path: StrictStr | None = None
    sampling_session_seq_id: Seq | None = None
    seq_id: Seq | None = None
    ttl_seconds: Annotated[Integer, Field(ge=1)] | None = None
    overwrite: StrictBool = False
    type: Literal["save_weights_for_sampler"] = "save_weights_for_sampler"


class SetTtl(_Message):
    """Body of `PUT /api/v1/training_runs/{run}/checkpoints/{checkpoint}/ttl`; null: the checkpoint never expires."""

    ttl_seconds: Annotated[Integer, Field(ge=1)] | None


class LoadWeights(_Message):
    model_id: Id
    path: StrictStr
    optimizer: StrictBool
    seq_id: Seq | None = None
    weights_access_token: StrictStr | None = None
    type: Literal["load_weights"] = "load_weights"


class CreateFromWeights(_Message):
    """`load_weights` in the SDK 0.25 and later: a new model with the weights of a checkpoint. Its id is `{session_id}:train:{model_seq_id}`."""

    implied: ClassVar[Mapping[str, Any]] = {"optimizer_config": {"type": "adamw"}}

    session_id: Id
    model_seq_id: Seq
    path: StrictStr
    optimizer: StrictBool
    base_model: StrictStr | None = None
    user_metadata: Metadata | None = None
    weights_access_token: StrictStr | None = None
    type: Literal["load_weights"] = "load_weights"


class CreateSamplingSession(_Message):
    session_id: Id
    sampling_session_seq_id: Seq
    base_model: StrictStr | None = None
    model_path: StrictStr | None = None
    type: Literal["create_sampling_session"] = "create_sampling_session"


class RetrieveFuture(_Message):
    request_id: Id
    allow_metadata_only: StrictBool = False


class WeightsInfo(_Message):
    tinker_path: StrictStr
