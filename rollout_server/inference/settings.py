"""Configuration by environment variables with the prefix `ENGINE_`."""

from functools import partial
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from rollout_conformance.rollout_server.common import settings
from rollout_conformance.rollout_server.common.settings import SHIPPED_TOKENIZER, Count, Pause, Port, ServerSettings


class Settings(ServerSettings):
    model_config = SettingsConfigDict(env_prefix="ENGINE_")

    host: str = "127.0.0.1"
    port: Port = 9004

    key: SecretStr | None = None  # required below /v1 only, as in vLLM
    model: str = "toy"
    tokenizer: Path = SHIPPED_TOKENIZER
    weights: Path | None = None  # a Qwen3 model, such as scenarios/model, that generates in place of the rules
    max_queue: Count = 10_000  # requests that wait for a model
    max_model_len: Count = 4096
    token_delay_s: Pause = 0.002  # slow enough for a client to disconnect in the middle
    body_limit: Count = 16 * 2**20


load = partial(settings.load, Settings)
"""Settings from the environment; keyword arguments take precedence. Raises `SettingsError`."""
