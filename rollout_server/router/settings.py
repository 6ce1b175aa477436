"""Configuration by environment variables with the prefix `ROUTER_`."""

from functools import partial
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from rollout_conformance.contracts.rollout.wire import Integer, Number
from rollout_conformance.rollout_server.common import settings
from rollout_conformance.rollout_server.common.settings import Count, LogLevel, Pause, Port, Seconds, ServerSettings

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]  # used in headers, paths and labels
STORABLE = r"^[^\x00]*$"  # PostgreSQL rejects NUL in text
MOST = 2**63 - 1  # the largest integer of the state store
AllowedScope = Literal["inference", "admin"]


class BackendSpec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1
    models: tuple[str, ...] | None = None  # None: as the backend lists them
    key: SecretStr | None = None
    continues: bool = True  # whether it supports vLLM's `continue_final_message`

    @field_validator("url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")


class Limits(BaseModel):
    """The permissions and limits of one key, in the configuration and in the request that creates a key."""

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
            raise ValueError("burst needs rps: without a rate it would never refill")
        return self


class KeySpec(Limits):
    key: Annotated[SecretStr, Field(min_length=1)]


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="ROUTER_")

    host: str = "127.0.0.1"
    port: Port = 9003
    workers: Count = 1  # processes that serve the port together
    log_level: LogLevel = "info"

    backends: tuple[BackendSpec, ...] = ()
    backend_timeout_s: Seconds = 120  # a whole response, and the pause between two chunks of a stream
    connect_timeout_s: Seconds = 5
    backend_capacity: Count = 32  # concurrent requests of one backend; for affinity and the planner
    health_interval_s: Pause = 10.0  # 0: no probes, and failures are not remembered
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

    # A URL of SQLAlchemy: sqlite+aiosqlite:////var/lib/router/state.db (one router, of any number of workers), or postgresql+asyncpg://user:password@host/database
    # (several share keys, budgets and records; `pip install rollout-conformance[postgres]`). The user must be allowed to create
    # tables the first time. None: a temporary file, removed at the end of the process.
    state: SecretStr | None = None
    state_required: bool = True
    state_timeout_s: Seconds = 2
    drain_s: Pause = 10.0  # at shutdown: for running requests to end

    @field_validator("backends")
    @classmethod
    def _distinct(cls, value: tuple[BackendSpec, ...]) -> tuple[BackendSpec, ...]:
        if len({spec.name for spec in value}) < len(value):
            raise ValueError("two backends have the same name")
        return value


load = partial(settings.load, Settings)
"""Settings from the environment; keyword arguments take precedence. Raises `SettingsError`."""
