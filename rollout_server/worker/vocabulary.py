"""The bytes of every token."""

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from rollout_conformance.rollout_server.common import chat_tokenizer
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`pieces` are the bytes that each token adds to a text, which may end within a character; special tokens add nothing."""

    tokenizer: ChatTokenizer
    pieces: tuple[bytes, ...]
    special: frozenset[int]
    eos: int

    @property
    def size(self) -> int:
        return len(self.pieces)

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text))

    def text_of(self, id: int) -> str:
        """One token by itself, as it is named in logprobs."""
        return self.tokenizer.decode([id])


def load(directory: Path, variable: str) -> Vocabulary:
    """Raises `SettingsError` when the directory holds no usable tokenizer."""
    tokenizer = chat_tokenizer.load(directory, variable)
    plain = Tokenizer.from_file(str(directory / "tokenizer.json"))
    special = frozenset(id for id, token in plain.get_added_tokens_decoder().items() if token.special)
    pieces = (b"" if id in special else tokenizer.token_bytes(id) for id in range(plain.get_vocab_size()))
    (eos,) = tokenizer.encode(tokenizer.end_of_turn)
    return Vocabulary(tokenizer, tuple(pieces), special, eos)
