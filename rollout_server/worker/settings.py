"""Configuration by environment variables with the prefix `WORKER_`."""

import uuid
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field
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

STUB_DELAY_S = 0.002  # so that a client can cancel in the middle
SHIPPED_MODEL = Path(__file__).resolve().parents[2] / "scenarios" / "model"


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="WORKER_")

    host: str = "127.0.0.1"
    port: Port = 9005
    log_level: LogLevel = "info"

    id: Annotated[str, Field(min_length=1, max_length=128)] = Field(default_factory=lambda: str(uuid.uuid4()))
    stub: bool = False  # a deterministic stand-in for the model, ready at once
    name: Annotated[str, Field(min_length=1, max_length=128)] = "tiny"  # of the model
    model: Path = SHIPPED_MODEL
    tokenizer: Path = SHIPPED_TOKENIZER
    slots: Count = 8  # jobs that generate concurrently
    queue: Annotated[int, Field(ge=0)] = 256  # jobs that wait for a slot; one more is refused
    cache_tokens: Count = 1_000_000  # prompt and output tokens of all jobs in slots; what exceeds it fails
    token_delay_s: Pause | None = None  # between two tokens; None: STUB_DELAY_S for the stub, none for a model
    load_delay_s: Pause = 0.0  # more than 0: serve while the model is loaded, and refuse jobs
    context: Count | None = None  # tokens of a prompt and its output; None: as many as the model can
    fail_after: Annotated[int, Field(ge=0)] = 0  # tokens after which the model fails in every job; 0: never
    job_timeout_s: Seconds = 300  # from acceptance to the last token
    send_timeout_s: Seconds = 60  # how long one event may wait for a client that does not read
    drain_s: Pause = 4.0  # at shutdown: for running jobs to end
    body_limit: Count = 2 * 2**20


load = partial(settings.load, Settings)
"""Settings from the environment; keyword arguments take precedence. Raises `SettingsError`."""
