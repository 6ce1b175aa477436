"""Configuration by environment variables: one prefix for each server, checked before anything starts."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

SHIPPED_TOKENIZER = Path(__file__).resolve().parents[2] / "scenarios" / "tokenizer"

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pause = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=0, le=65535)]
LogLevel = Literal["debug", "info", "warning", "error", "off"]


class ServerSettings(BaseSettings):
    """The settings of a server. A subclass names its prefix."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, protected_namespaces=())


S = TypeVar("S", bound=ServerSettings)


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the message names the variable and never repeats the value."""


def load(model: type[S], /, **values: Any) -> S:
    """Settings from the environment; `values` take precedence. Raises `SettingsError`."""
    prefix = str(model.model_config["env_prefix"])
    try:
        return model(**values)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False)
        raise SettingsError("; ".join(_problem(prefix, dict(e)) for e in found)) from None
    except UnreadableError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = prefix + (field[1].upper() if field else "")
        raise SettingsError(f"{name}: the value is not valid JSON") from None


def _problem(prefix: str, error: dict[str, Any]) -> str:
    first, *rest = error["loc"] or ("settings",)
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest)
    return f"{prefix}{str(first).upper()}{steps}: {error['msg'].removeprefix('Value error, ')}"
