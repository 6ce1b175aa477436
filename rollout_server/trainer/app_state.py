"""What all rollouts of one trainer share."""

from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer
from rollout_conformance.rollout_server.trainer.backend import Backend
from rollout_conformance.rollout_server.trainer.rollout_starter import RolloutStarter
from rollout_conformance.rollout_server.trainer.settings import Settings


@dataclass(frozen=True, slots=True)
class AppState:
    settings: Settings
    tokenizer: ChatTokenizer
    backend: Backend
    starter: RolloutStarter
    log: Any
