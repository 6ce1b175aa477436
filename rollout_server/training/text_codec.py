"""The tokenizer of the models: text and conversations to token ids, and back."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rollout_conformance.rollout_server.common import chat_tokenizer
from rollout_conformance.rollout_server.common.chat_tokenizer import Messages
from rollout_conformance.rollout_server.common.settings import SettingsError
from rollout_conformance.rollout_server.training.base_model import VOCABULARY


class TextCodec:
    def __init__(self, folder: Path) -> None:
        self._tokenizer = chat_tokenizer.load(folder, "TRAINING_TOKENIZER")
        self.name = str(folder)
        ends = self._tokenizer.encode(self._tokenizer.end_of_turn)
        if len(ends) != 1:
            raise SettingsError("TRAINING_TOKENIZER: the end of a turn must be one token")
        self.end = ends[0]
        if vocabulary_of(folder) > VOCABULARY:
            raise SettingsError(f"TRAINING_TOKENIZER: it has more than {VOCABULARY} tokens")

    def encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(ids)

    def render(self, messages: Messages, *, generation: bool) -> str:
        return self._tokenizer.render(messages, generation=generation)

    def token(self, id: int) -> str:
        return self._tokenizer.token_bytes(id).decode("utf-8", "replace")


@cache
def load(folder: Path) -> TextCodec:
    """Raises `SettingsError`."""
    return TextCodec(folder)


def vocabulary_of(folder: Path) -> int:
    model = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    ids = [*model["model"]["vocab"].values(), *(token["id"] for token in model["added_tokens"])]
    return 1 + int(max(ids))
