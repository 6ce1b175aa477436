"""The messages of the leased dialect as pydantic models, as the reference rollout server reads and writes them.

The models follow openapi.leased.yaml. The parts that the dialects share are in wire.py and wire_routed.py.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from rollout_conformance.contracts.rollout.wire import Key, Message, Number, Object, ServerUrl, Text
from rollout_conformance.contracts.rollout.wire_routed import OwnKey, PathId, Sample

LEASE_HEADER = "X-Osmosis-Rollout-Lease"
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class LeasedRequest(_Lenient):
    """`POST /rollout`. Timeouts are in seconds; a timeout of zero or less has already expired."""

    rollout_id: PathId
    initial_messages: list[Message]
    chat_completions_url: ServerUrl
    llm_api_key: OwnKey | None = None
    grade: StrictBool | None = None
    label: Text | None = None
    metadata: Object | None = None
    agent_timeout_sec: Number | None = None
    grader_timeout_sec: Number | None = None
    extra_fields: Object | None = None


class LeaseReply(_Lenient):
    """The 202 response to `POST /rollout`."""

    rollout_id: Text
    status: Text | None = None
    polling_lease_token: Annotated[Key, Field(min_length=1)]
    result_wait_timeout_sec: Seconds
    polling_lease_timeout_sec: Seconds


class ResultReply(_Lenient):
    """The response to `GET /rollout/{rollout_id}/result`."""

    rollout_id: Text
    status: Literal["queued", "running", "grading", "success", "failure", "cancelled"]
    sample: Sample | None = None
    err_message: Text | None = None
    err_category: Text | None = None
