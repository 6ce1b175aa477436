"""What all rollouts of one server share."""

from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.rollout import retry
from rollout_conformance.rollout_server.rollout.metrics import Metrics
from rollout_conformance.rollout_server.rollout.settings import Settings
from rollout_conformance.rollout_server.rollout.start_request import Dialect
from rollout_conformance.rollout_server.rollout.tokenizer_cache import TokenizerCache
from rollout_conformance.rollout_server.rollout.tools import Toolbox
from rollout_conformance.rollout_server.rollout.trainer_client import TrainerClient


@dataclass(frozen=True, slots=True)
class AppState:
    settings: Settings
    trainer: TrainerClient
    tokenizers: TokenizerCache
    toolbox: Toolbox
    metrics: Metrics
    log: Any

    def generation_policy(self, dialect: Dialect) -> retry.Policy:
        s = self.settings
        retries = s.sync_generation_retries if dialect == "sync" else s.generation_retries
        return retry.Policy(retries, s.retry_base_s, s.retry_max_s)

    def completion_policy(self) -> retry.Policy:
        s = self.settings
        return retry.Policy(s.completion_retries, s.retry_base_s, s.retry_max_s)
