"""Configuration by environment variables, `TRAINER_` in front of each name, checked before anything starts."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from rollout_conformance.contracts.rollout.wire import ServerUrl

PREFIX = "TRAINER_"
SHIPPED_TOKENIZER = Path(__file__).resolve().parents[2] / "scenarios" / "tokenizer"
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the message names the variable."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9001
    log_level: Literal["debug", "info", "warning", "error", "off"] = "info"

    tokenizer: Path = SHIPPED_TOKENIZER
    tokenizer_name: str | None = None  # what rollout servers are told; the path of the directory unless given
    backend_url: ServerUrl | None = None  # none: the built-in policy
    backend_key: SecretStr | None = None
    backend_timeout_s: Seconds = 300  # one generation: decoding a long context takes minutes
    model: str = "default"

    control_key: SecretStr | None = None
    server_key: SecretStr | None = None
    public_url: ServerUrl | None = None

    rollout_timeout_s: Seconds = 600
    tools_timeout_s: Seconds = 30  # the list of tools is static at its server
    ready_timeout_s: Seconds = 10  # how long a generation call waits for the answer to the start request
    max_active: Annotated[int, Field(ge=1)] = 1024
    max_records: Annotated[int, Field(ge=1)] = 1024  # of ended rollouts; one of ten turns and 5k tokens takes 0.6 MB

    body_limit: Annotated[int, Field(ge=1)] = 16 * 2**20
    reply_limit: Annotated[int, Field(ge=1)] = 64 * 2**20


def load(**values: Any) -> Settings:
    """Settings from the environment; `values` take precedence. Raises `SettingsError`."""
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError("; ".join(_complaint(dict(e)) for e in error.errors(include_input=False))) from None


def _complaint(error: dict[str, Any]) -> str:
    name = PREFIX + str(error["loc"][0]).upper() if error["loc"] else "settings"
    return f"{name}: {error['msg']}"
