"""Configuration by environment variables with the prefix `TRAINER_`."""

from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from rollout_conformance.contracts.rollout.wire import ServerUrl
from rollout_conformance.contracts.trainer.wire import Dialect
from rollout_conformance.rollout_server.common import settings
from rollout_conformance.rollout_server.common.settings import (
    SHIPPED_TOKENIZER,
    Count,
    LogLevel,
    Port,
    Seconds,
    ServerSettings,
)

Source = Literal["control", "open", "started"]


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="TRAINER_")

    host: str = "127.0.0.1"
    port: Port = 9001
    log_level: LogLevel = "info"

    tokenizer: Path = SHIPPED_TOKENIZER
    tokenizer_name: str | None = None  # `tokenizer_name` of start requests; default: the path of the directory
    backend_url: ServerUrl | None = None  # none: the built-in policy
    backend_key: SecretStr | None = None
    backend_timeout_s: Seconds = 300  # one generation: decoding a long context takes minutes
    model: str = "default"
    context_tokens: Count = 65_536  # of the built-in policy: prompt and generation

    control_key: SecretStr | None = None
    server_key: SecretStr | None = None
    public_url: ServerUrl | None = None

    rollouts: Source = "control"  # how rollouts begin: `POST /rollouts`, any new rollout id, or by the trainer itself
    rollout_id_in: str = Field(
        "body", pattern=r"^(body|key|url|header:\S+|/\S*\{rollout_id\}\S*)$"
    )  # what names a rollout
    branches: bool = False  # whether a request with another history begins a branch of the record
    dialects: tuple[Dialect, ...] = (
        "sync",
        "callback",
    )  # of the rollouts that begin without `POST /rollouts`; the first of open ones
    rollout_server: ServerUrl | None = None  # where the trainer starts rollouts by itself
    width: Count = 8  # how many of each dialect it runs at once
    open_key: SecretStr | None = None  # asked for in the requests of open rollouts

    rollout_timeout_s: Seconds = 600
    tools_timeout_s: Seconds = 30  # the list of tools is static at its server
    ready_timeout_s: Seconds = 10  # how long a generation call waits for the answer to the start request
    max_active: Count = 1024
    max_records: Count = 1024  # of ended rollouts; one of ten turns and 5k tokens takes 0.6 MB

    body_limit: Count = 16 * 2**20
    reply_limit: Count = 64 * 2**20


load = partial(settings.load, Settings)
"""Settings from the environment; keyword arguments take precedence. Raises `SettingsError`."""
