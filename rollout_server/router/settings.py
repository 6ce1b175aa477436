"""Configuration by environment variables, `ROUTER_` in front of each name, checked before anything starts."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

from rollout_conformance.contracts.rollout.wire import Integer, Number

PREFIX = "ROUTER_"
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]  # it goes into headers, paths and labels
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pause = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
STORABLE = r"^[^\x00]*$"  # PostgreSQL keeps no text with a NUL
MOST = 2**63 - 1  # what the state store can keep
AllowedScope = Literal["inference", "admin"]


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the message names the variable and never repeats the value."""


class BackendSpec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1
    models: tuple[str, ...] | None = None  # none: the backend is asked
    key: SecretStr | None = None
    continues: bool = True  # whether it knows `continue_final_message`, as vLLM does

    @field_validator("url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")


class Limits(BaseModel):
    """What one key may do. Shared by the configuration and by the request that creates a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    org: Annotated[str, Field(pattern=STORABLE, min_length=1, max_length=128)]
    scopes: Annotated[tuple[AllowedScope, ...], Field(min_length=1)] = ("inference",)
    rps: Annotated[Number, Field(gt=0)] | None = None
    burst: Annotated[Integer, Field(ge=1, lt=2**31)] | None = None
    budget_tokens: Annotated[Integer, Field(ge=0, le=MOST)] | None = None
    name: Annotated[str, Field(pattern=STORABLE, max_length=128)] | None = None
    expires_at: Number | None = None  # seconds since 1970

    @model_validator(mode="after")
    def _burst_refills(self) -> Self:
        if self.burst is not None and self.rps is None:
            raise ValueError("burst needs rps: without a rate it would never fill again")
        return self


class KeySpec(Limits):
    key: Annotated[SecretStr, Field(min_length=1)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9003
    log_level: Literal["debug", "info", "warning", "error", "off"] = "info"

    backends: tuple[BackendSpec, ...] = ()
    backend_timeout_s: Seconds = 120  # a whole answer, and the silence between two parts of a stream
    connect_timeout_s: Seconds = 5
    backend_capacity: Count = 32  # requests that one backend runs well at the same time; for the planner's advice
    health_interval_s: Pause = 10.0  # 0: no probes, and no memory of failures
    reply_limit: Count = 64 * 2**20
    affinity: bool = True
    affinity_entries: Count = 10_000

    keys: tuple[KeySpec, ...] = ()
    hmac_secret: SecretStr | None = None
    body_limit: Count = 2**20
    body_timeout_s: Seconds = 30
    max_concurrent: Count = 512
    replay_s: Seconds = 600
    replay_entries: Count = 1000

    # A URL of SQLAlchemy: sqlite+aiosqlite:////var/lib/router/state.db (one router), or postgresql+asyncpg://user:password@host/database
    # (several share keys, budgets and records; `pip install rollout-conformance[postgres]`). The user must be allowed to create
    # tables the first time. None: a temporary file that goes with the process.
    state: SecretStr | None = None
    state_required: bool = True
    state_timeout_s: Seconds = 2
    drain_s: Pause = 10.0  # what running requests get to end by themselves

    @field_validator("backends")
    @classmethod
    def _distinct(cls, value: tuple[BackendSpec, ...]) -> tuple[BackendSpec, ...]:
        if len({spec.name for spec in value}) < len(value):
            raise ValueError("two backends have the same name")
        return value


def load(**values: Any) -> Settings:
    """Settings from the environment; `values` take precedence. Raises `SettingsError`."""
    try:
        return Settings(**values)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False)
        raise SettingsError("; ".join(_complaint(dict(e)) for e in found)) from None
    except UnreadableError:
        raise SettingsError(f"{PREFIX}BACKENDS and {PREFIX}KEYS are lists in JSON; one of them is not") from None


def _complaint(error: dict[str, Any]) -> str:
    first, *rest = error["loc"] or ("settings",)
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest)
    return f"{PREFIX}{str(first).upper()}{place}: {error['msg'].removeprefix('Value error, ')}"
