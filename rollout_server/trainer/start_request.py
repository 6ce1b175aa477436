"""The start request that the trainer sends to a rollout server, in either dialect."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.contracts.trainer.wire import StartRequest
from rollout_conformance.rollout_server.trainer import naming

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StartPlan:
    """`server` is the base URL of the rollout server, `body` the request. Times are in seconds."""

    rollout_id: str
    dialect: str
    server: str
    messages: list[Any]
    body: Body = field(repr=False)
    key: str = field(repr=False)
    timeout_s: float | None

    @property
    def url(self) -> str:
        return self.server + ("/rollout" if self.dialect == "sync" else "/v1/rollout/init")


def read(raw: Body, own_url: str, tokenizer: str, place: str = naming.BODY) -> StartPlan:
    """Raises pydantic's `ValidationError`. `own_url` is the URL of the trainer for the rollout server, `place` what names the rollout."""
    control = StartRequest.model_validate(raw)
    rollout_id = control.rollout_id or f"rollout-{secrets.token_hex(8)}"
    key = secrets.token_urlsafe(24)
    limits = {name: raw[name] for name in ("max_turns", "max_tokens_total", "metadata") if raw.get(name) is not None}
    common = {
        "rollout_id": rollout_id,
        "server_url": naming.url(place, own_url, rollout_id),
        "messages": raw["messages"],
        **limits,
    }
    sampling = raw.get("sampling_params") or {}
    body = common | (sync(sampling, key, tokenizer) if control.dialect == "sync" else callback(sampling, key))
    return StartPlan(rollout_id, control.dialect, control.server_url, raw["messages"], body, key, control.timeout_s)


def sync(sampling: Body, key: str, tokenizer: str) -> dict[str, Any]:
    return {"sampling_params": sampling, "callback_api_key": key, "tokenizer_name": tokenizer}


def callback(sampling: Body, key: str) -> dict[str, Any]:
    return {"completion_params": sampling, "api_key": key}
