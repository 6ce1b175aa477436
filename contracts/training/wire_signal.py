"""The messages of the dialect `signal` as pydantic models, as the reference training server validates them.

Unknown members are refused: a server that ignores an option trains something else than it was asked for. An example has exactly one of five
forms; text must not be blank.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, field_validator, model_validator

from rollout_conformance.contracts.rollout.wire import Integer, Number

MOST_TEXT = 32_768
Text = Annotated[StrictStr, Field(min_length=1, max_length=MOST_TEXT)]
Row = list[Number]
GPU = re.compile(r"(L40S|A100|A100-80GB|H100|B200|T4|A10G):[1-8]")


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class RunConfig(_Message):
    """`POST /runs`."""

    base_model: Annotated[StrictStr, Field(max_length=256)]
    gpu_config: StrictStr = "L40S:1"
    lora_r: Annotated[Integer, Field(ge=1, le=512)] = 32
    lora_alpha: Annotated[Integer, Field(ge=1, le=1024)] = 32
    lora_dropout: Annotated[Number, Field(ge=0, le=0.5)] = 0.0
    lora_target_modules: list[StrictStr] | None = None
    optimizer: StrictStr = "adamw_8bit"
    learning_rate: Annotated[Number, Field(gt=0, le=1)] = 3e-4
    weight_decay: Annotated[Number, Field(ge=0, le=1)] = 0.01
    lr_scheduler: Literal["cosine", "linear", "constant_with_warmup"] | None = None
    warmup_steps: Annotated[Integer, Field(ge=0)] = 0
    max_seq_length: Annotated[Integer, Field(ge=128, le=131_072)] = 2048
    bf16: StrictBool = True
    gradient_checkpointing: StrictBool = True

    @field_validator("base_model")
    @classmethod
    def _is_name(cls, value: str) -> str:
        parts = value.split("/")
        if len(parts) < 2 or ".." in value or not all(parts):
            raise ValueError("must be organisation/name, without '..' and empty parts")
        return value

    @field_validator("gpu_config")
    @classmethod
    def _is_gpu(cls, value: str) -> str:
        if not GPU.fullmatch(value):
            raise ValueError("must be TYPE:COUNT, with a known type and a count of 1 to 8")
        return value


class Message(_Message):
    role: Literal["system", "user", "assistant"]
    content: Annotated[StrictStr, Field(max_length=MOST_TEXT)]


class Example(_Message):
    """Exactly one of: text; messages; prompt, chosen and rejected; prompt, responses and rewards; prompt, response and reward."""

    text: Text | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=50)] | None = None
    prompt: Text | None = None
    chosen: Text | None = None
    rejected: Text | None = None
    responses: Annotated[list[Text], Field(min_length=1, max_length=16)] | None = None
    rewards: list[Number] | None = None
    response: Text | None = None
    reward: Number | None = None
    value: Number | None = None

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        present = {name for name in type(self).model_fields if getattr(self, name) is not None}
        if present not in FORMS:
            raise ValueError("must have exactly one form: text; messages; prompt, chosen, rejected; "
                             "prompt, responses, rewards; prompt, response, reward")  # fmt: skip
        if self.responses is not None and len(self.responses) != len(self.rewards or []):
            raise ValueError("responses and rewards must have the same length")
        if self.text is not None and not self.text.strip():
            raise ValueError("text must not be blank")
        return self


FORMS = (
    {"text"},
    {"messages"},
    {"prompt", "chosen", "rejected"},
    {"prompt", "responses", "rewards"},
    {"prompt", "response", "reward"},
    {"prompt", "response", "reward", "value"},
)


class ForwardBackward(_Message):
    """The lists have one row for each example, with one value for each target token of it."""

    batch_data: Annotated[list[Example], Field(min_length=1, max_length=128)]
    accumulate: StrictBool = False
    loss_fn: StrictStr = "causal_lm"
    loss_kwargs: dict[StrictStr, Any] = {}
    request_id: Annotated[StrictStr, Field(min_length=1, max_length=128)] | None = None
    old_log_probs: list[Row] | None = None
    advantages: list[Row] | None = None


class OptimStep(_Message):
    learning_rate: Annotated[Number, Field(gt=0, le=1)] | None = None
    request_id: Annotated[StrictStr, Field(min_length=1, max_length=128)] | None = None


class Sample(_Message):
    prompts: Annotated[list[Text], Field(min_length=1, max_length=128)]
    max_tokens: Annotated[Integer, Field(ge=1, le=4096)] = 512
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[Number, Field(gt=0, le=1)] = 0.9
    return_logprobs: StrictBool = False


class SaveState(_Message):
    mode: Literal["adapter", "merged"] = "adapter"
    push_to_hub: StrictBool = False
    hub_model_id: Annotated[StrictStr, Field(min_length=1, max_length=256)] | None = None

    @model_validator(mode="after")
    def _names_the_hub(self) -> Self:
        if self.push_to_hub and self.hub_model_id is None:
            raise ValueError("push_to_hub needs hub_model_id")
        return self


class Tokenize(_Message):
    text: StrictStr | Annotated[list[StrictStr], Field(min_length=1, max_length=128)]
    add_special_tokens: StrictBool = True


class Detokenize(_Message):
    token_ids: list[StrictInt] | list[list[StrictInt]]


class ChatTemplate(_Message):
    messages: Annotated[list[Message], Field(min_length=1, max_length=50)]
    add_generation_prompt: StrictBool = False


class NewKey(_Message):
    description: Annotated[StrictStr, Field(max_length=256)] = ""


class SampleStream(_Message):
    """One prompt, as a stream."""

    prompt: Text
    max_tokens: Annotated[Integer, Field(ge=1, le=4096)] = 512
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[Number, Field(gt=0, le=1)] = 0.9
