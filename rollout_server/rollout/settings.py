"""Configuration by environment variables, `ROLLOUT_` in front of each name, checked before anything starts."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "ROLLOUT_"
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pause = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Modules = Annotated[tuple[str, ...], NoDecode]


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the message names the variable."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    server_host: str = "127.0.0.1"
    server_port: Annotated[int, Field(ge=0, le=65535)] = 9000
    server_key: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error", "off"] = "info"

    agent: str = "rollout_conformance.rollout_server.rollout.agent"
    tools: Modules = ("rollout_conformance.rollout_server.rollout.tools.calculator",)
    demo: bool = False
    demo_tokenizer: str | None = None

    max_concurrent: Annotated[int, Field(ge=1)] = 1024
    max_queued: Annotated[int, Field(ge=0)] = 4096
    timeout_s: Seconds = 600  # one rollout, from the moment it runs
    generation_timeout_s: Seconds = 300  # one attempt: decoding a long context takes minutes
    completion_timeout_s: Seconds = 30  # one attempt: a trainer only has to store it
    tool_timeout_s: Seconds = 30

    generation_retries: Annotated[int, Field(ge=0, le=100)] = 3
    sync_generation_retries: Annotated[int, Field(ge=0, le=100)] = 0  # the caller waits, and can ask again itself
    completion_retries: Annotated[int, Field(ge=0, le=100)] = 5
    retry_base_s: Pause = 1.0
    retry_max_s: Pause = 30.0

    max_body_bytes: Annotated[int, Field(ge=1)] = 16 * 2**20
    max_reply_bytes: Annotated[int, Field(ge=1)] = 64 * 2**20  # 128k tokens with ids and logprobs are about 5 MiB
    max_metadata_bytes: Annotated[int, Field(ge=2)] = 2**20

    record_ttl_s: Seconds = 3600  # how long a finished rollout is still recognised
    max_records: Annotated[int, Field(ge=1)] = 10_000
    drain_s: Pause = 10.0  # what running rollouts get to end by themselves
    farewell_s: Pause = 10.0  # after that, what the last completions get to be delivered

    @field_validator("tools", mode="before")
    @classmethod
    def _comma_list(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def load(**values: Any) -> Settings:
    """Settings from the environment; `values` take precedence."""
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError("; ".join(_complaint(dict(e)) for e in error.errors(include_input=False))) from None


def _complaint(error: dict[str, Any]) -> str:
    name = PREFIX + str(error["loc"][0]).upper() if error["loc"] else "settings"
    return f"{name}: {error['msg']}"
