"""Text to token ids and back, with the chat template of a local tokenizer directory. Nothing is downloaded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from tokenizers import Tokenizer, decoders
from tokenizers.pre_tokenizers import ByteLevel

from rollout_conformance.rollout_server.common import chat_template
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.common.settings import SettingsError

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]] | None


def _byte_of() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary means: a printable one itself, the others in order from U+0100."""
    letters = set(ByteLevel.alphabet())
    others = [byte for byte in range(256) if chr(byte) not in letters]
    return {letter: ord(letter) if ord(letter) < 256 else others[ord(letter) - 256] for letter in letters}


BYTE_OF = _byte_of()


class ChatTokenizer:
    """A tokenizer with its chat template.

    `render` returns text, `encode` a list of token ids. Raises `ApiError` 422 for a conversation that the template rejects.
    """

    def __init__(self, tokenizer: Tokenizer, template: jinja2.Template, special: Mapping[str, str]) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._special = special
        self.end_of_turn = special.get("eos_token", "")

    def render(self, messages: Messages, tools: Tools = None, *, generation: bool = True) -> str:
        """The conversation as the policy sees it; `generation` opens the assistant's turn."""
        try:
            text = self._template.render(
                messages=messages, tools=tools or None, add_generation_prompt=generation, **self._special
            )
        except Exception as error:  # a template is third-party code and may raise anything
            raise unrenderable() from error
        # A lone surrogate has no UTF-8 form; the policy sees the replacement character instead.
        return text if text.isascii() else text.encode("utf-8", "replace").decode()

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int], *, special: bool = True) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=not special))

    def token_bytes(self, id: int) -> bytes:
        """The bytes of one token, which may end within a character."""
        written = self._tokenizer.id_to_token(id) or ""
        if not isinstance(self._tokenizer.decoder, decoders.ByteLevel) or not set(written) <= BYTE_OF.keys():
            return self.decode([id]).encode()
        return bytes(BYTE_OF[letter] for letter in written)


def unrenderable() -> ApiError:
    return ApiError(422, "unrenderable", "messages: the chat template cannot render them", param="messages")


def load(directory: Path, variable: str) -> ChatTokenizer:
    """Raises `SettingsError`, which names `variable`, when the directory holds no usable tokenizer."""
    try:
        config = chat_template.read_config(directory / "tokenizer_config.json")
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        template = chat_template.load(directory / "chat_template.jinja", config)
    except Exception as error:  # broken files raise errors of many kinds
        raise SettingsError(
            f"{variable}: no usable tokenizer in {directory}; it needs tokenizer.json and a chat template"
        ) from error
    return ChatTokenizer(tokenizer, template, chat_template.special_tokens(config))


def sampled_text(tokenizer: ChatTokenizer, messages: Messages, reply: dict[str, Any], tools: Tools) -> str:
    """The text that a policy must have sampled for `reply` to follow `messages`, the end of the turn included."""
    opening = tokenizer.render(messages, tools)
    whole = tokenizer.render([*messages, reply], tools, generation=False)
    if not whole.startswith(opening):  # the template renders earlier messages differently as the conversation grows
        return str(reply.get("content") or "") + tokenizer.end_of_turn
    turn = whole[len(opening) :]
    end = turn.rfind(tokenizer.end_of_turn) if tokenizer.end_of_turn else -1
    return turn if end < 0 else turn[: end + len(tokenizer.end_of_turn)]
