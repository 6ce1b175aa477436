"""Configuration by environment variables with the prefix `TRAINING_`."""

from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from rollout_conformance.rollout_server.common import settings
from rollout_conformance.rollout_server.common.settings import (
    SHIPPED_TOKENIZER,
    Count,
    LogLevel,
    Pause,
    Port,
    Seconds,
    ServerSettings,
)


class KeySpec(BaseModel):
    """An API key and the tenant that it belongs to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[SecretStr, Field(min_length=8)]
    user: Annotated[str, Field(min_length=1, max_length=128)]
    description: str = ""


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="TRAINING_")

    host: str = "127.0.0.1"
    port: Port = 9004
    log_level: LogLevel = "info"

    # JSON: [{"key": "tml-…", "user": "…"}]. Without any, every request is answered with 401.
    keys: tuple[KeySpec, ...] = ()
    folder: Path | None = None  # the database and the checkpoints; None: a temporary folder, removed at the end
    tokenizer: Path = SHIPPED_TOKENIZER

    body_limit: Count = 32 * 2**20
    body_timeout_s: Seconds = 30
    order_wait_s: Pause = 2.0  # how long a number that is missing holds back those after it
    poll_s: Pause = 20.0  # how long retrieve_future waits for a result; the SDK gives up after 45 s
    result_wait_s: Seconds = 120  # how long a blocking call of the dialect `signal` waits for its turn
    session_timeout_s: Seconds = 600  # without a heartbeat or another request of the session
    future_ttl_s: Seconds = 3600  # how long a result can be read

    max_batch: Count = 1024  # datums of one request
    max_tokens: Count = 2**20  # of one batch
    max_rank: Count = 256
    max_samples: Count = 128
    max_models: Count = 10_000  # of one user, alive
    max_runs: Count = 10_000  # of one user, running
    max_pending: Count = 1000  # requests of one model that wait for their turn
    schedule_steps: Count = 1000  # the horizon of the learning rate schedules of `signal`


load = partial(settings.load, Settings)
"""Settings from the environment; keyword arguments take precedence. Raises `SettingsError`."""
