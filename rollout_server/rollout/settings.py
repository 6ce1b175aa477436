"""Configuration by environment variables with the prefix `ROLLOUT_`."""

from functools import partial
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from rollout_conformance.rollout_server.common import settings
from rollout_conformance.rollout_server.common.settings import Count, LogLevel, Pause, Port, Seconds, ServerSettings

Modules = Annotated[tuple[str, ...], NoDecode]


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="ROLLOUT_")

    server_host: str = "127.0.0.1"
    server_port: Port = 9000
    server_key: SecretStr | None = None
    workers: Count = 1  # processes that serve the port together
    log_level: LogLevel = "info"

    agent: str = "rollout_conformance.rollout_server.rollout.agent"
    tools: Modules = ("rollout_conformance.rollout_server.rollout.tools.calculator",)
    demo: bool = False
    demo_tokenizer: str | None = None

    max_concurrent: Count = 1024
    max_queued: Annotated[int, Field(ge=0)] = 4096
    timeout_s: Seconds = 600  # one rollout, from when it leaves the queue
    generation_timeout_s: Seconds = 300  # one attempt: decoding a long context takes minutes
    completion_timeout_s: Seconds = 30  # one attempt: the trainer only stores it
    tool_timeout_s: Seconds = 30

    generation_retries: Annotated[int, Field(ge=0, le=100)] = 3
    sync_generation_retries: Annotated[int, Field(ge=0, le=100)] = (
        0  # the caller waits for the response and can retry itself
    )
    completion_retries: Annotated[int, Field(ge=0, le=100)] = 5
    retry_base_s: Pause = 1.0
    retry_max_s: Pause = 30.0

    max_body_bytes: Count = 16 * 2**20
    max_reply_bytes: Count = 64 * 2**20  # 128k tokens with ids and logprobs are about 5 MiB
    max_metadata_bytes: Annotated[int, Field(ge=2)] = 2**20

    record_ttl_s: Seconds = 3600  # how long a finished rollout is remembered
    max_records: Count = 10_000
    lease_s: Seconds = 120  # a rollout whose result is not requested for so long is cancelled
    result_wait_s: Seconds = 30  # how long a request for a result waits for a change
    drain_s: Pause = 10.0  # at shutdown: for running rollouts to end
    farewell_s: Pause = 10.0  # after that: for the last completions to be delivered

    @field_validator("tools", mode="before")
    @classmethod
    def _comma_list(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


load = partial(settings.load, Settings)
"""Settings from the environment; keyword arguments take precedence. Raises `SettingsError`."""
