"""Configuration by environment variables, `ENGINE_` in front of each name, checked before anything starts."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "ENGINE_"
SHIPPED_TOKENIZER = Path(__file__).resolve().parents[2] / "scenarios" / "tokenizer"


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the message names the variable."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    key: SecretStr | None = None  # for what is below /v1; the rest answers anybody, as in vLLM
    model: str = "toy"
    tokenizer: Path = SHIPPED_TOKENIZER
    max_model_len: Annotated[int, Field(ge=1)] = 4096
    token_delay_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.002  # slow enough to be left in the middle
    body_limit: Annotated[int, Field(ge=1)] = 16 * 2**20


def load(**values: Any) -> Settings:
    """Settings from the environment; `values` take precedence. Raises `SettingsError`."""
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError("; ".join(_complaint(dict(e)) for e in error.errors(include_input=False))) from None


def _complaint(error: dict[str, Any]) -> str:
    name = PREFIX + str(error["loc"][0]).upper() if error["loc"] else "settings"
    return f"{name}: {error['msg']}"
