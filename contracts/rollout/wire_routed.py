"""The messages of the routed dialect as pydantic models, as the reference rollout server reads and writes them.

The models follow openapi.routed.yaml. The parts that the dialects share are in wire.py.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema, model_validator

from rollout_conformance.contracts.rollout.wire import Key, Message, Metrics, Number, Object, RolloutId, ServerUrl, Text

Status = Literal["queued", "running", "grading", "success", "failure", "cancelled", "unknown"]
TERMINAL = ("success", "failure", "cancelled")
Disposition = Literal["cancelled_queued", "cancelled_running", "not_found"]


_MORE_THAN_DOTS = re.compile(r"[^\s.]")


def _segment(value: str) -> str:
    """An id must be usable as one segment of a path: /rollout/{id}/status."""
    if any(sign in value for sign in "/\\?#%") or not _MORE_THAN_DOTS.search(value):
        raise ValueError("must be usable as one segment of a path")
    return value


def _not_empty(value: str) -> str:
    if not value:
        raise ValueError("must not be empty; leave it out, or send null, for no key of its own")
    return value


PathId = Annotated[
    RolloutId, AfterValidator(_segment), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256})
]
OwnKey = Annotated[Key, AfterValidator(_not_empty), WithJsonSchema({"type": "string", "minLength": 1})]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class RoutedRequest(_Lenient):
    """`POST /rollout`. Timeouts are in seconds; a timeout of zero or less has already expired."""

    rollout_id: PathId | None = None
    initial_messages: list[Message]
    chat_completions_url: ServerUrl
    completion_callback_url: ServerUrl
    grader_callback_url: ServerUrl | None = None
    controller_api_key: Key | None = None
    llm_api_key: OwnKey | None = None
    label: Text | None = None
    metadata: Object | None = None
    agent_timeout_sec: Number | None = None
    grader_timeout_sec: Number | None = None
    extra_fields: Object | None = None


class CancelRequest(BaseModel):
    """`POST /rollout/cancel`: exactly one of the three members."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    ids: list[Text] | None = None
    prefix: Annotated[Text, AfterValidator(_not_empty)] | None = None
    all: StrictBool | None = None

    @model_validator(mode="after")
    def _one(self) -> "CancelRequest":
        given = [name for name, value in (("ids", self.ids), ("prefix", self.prefix)) if value is not None]
        if len(given) + bool(self.all) != 1:
            raise ValueError("give exactly one of ids, prefix, and all: true")
        return self


class StatusReply(_Lenient):
    rollout_id: Text | None = None
    status: Status


class CancelReply(_Lenient):
    dispositions: dict[str, Disposition]


class CompletionCallback(_Lenient):
    """`POST {completion_callback_url}`."""

    rollout_id: Text
    status: Literal["success", "failure", "cancelled"]
    err_message: Text | None = None
    err_category: Text | None = None
    extra_fields: Object | None = None


class Sample(_Lenient):
    messages: list[Message]
    label: Text | None = None
    reward: Number | None = None
    remove_sample: StrictBool = False
    metrics: Metrics | None = None
    extra_fields: Object | None = None


class GraderCallback(_Lenient):
    """`POST {grader_callback_url}`, after the completed callback of a successful rollout was acknowledged."""

    rollout_id: Text
    status: Literal["success", "failure"]
    sample: Sample | None = None
    err_message: Text | None = None
    err_category: Text | None = None
    extra_fields: Annotated[dict[str, Any], Field(default_factory=dict)]
