"""How many tokens a conversation has, by the tokenizer that the trainer named.

Tokenizers are read from a local directory or from the Hugging Face cache on this machine. Nothing is downloaded, no code
of a tokenizer is executed, and none is replaced by another: what cannot be loaded is the documented `tokenizer_error`.
Only demo mode substitutes one, and then the result says so.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import jinja2
from tokenizers import Tokenizer

from rollout_conformance.rollout_server.common import chat_template
from rollout_conformance.rollout_server.rollout import errors

KEPT = 5  # a run uses one tokenizer, sometimes two; a big vocabulary takes tens of megabytes
LONG_TEXT = 50_000  # characters; from here on encoding takes longer than a switch to a thread
FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


class NoTokenizerError(Exception):
    """There is no usable tokenizer under that name on this machine."""


class PromptCounter:
    """Counts the tokens of conversations, with one tokenizer and its chat template."""

    def __init__(self, tokenizer: Tokenizer, template: jinja2.Template, special: Mapping[str, str]) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._special = special

    def render(self, messages: Sequence[Any]) -> str:
        """The prompt for the next assistant turn; the sync dialect leaves the tools out."""
        return self._template.render(messages=messages, tools=None, add_generation_prompt=True, **self._special)

    def count(self, text: str) -> int:
        # A lone surrogate has no UTF-8 form; it counts as the replacement character.
        clean = text if text.isascii() else text.encode("utf-8", "replace").decode()
        return len(self._tokenizer.encode(clean, add_special_tokens=False))

    async def prompt_length(self, messages: Sequence[Any]) -> int:
        try:
            text = self.render(messages)
        except Exception as error:  # a template is third-party code and may raise anything
            raise errors.conversation("the chat template cannot render it") from error
        return self.count(text) if len(text) < LONG_TEXT else await asyncio.to_thread(self.count, text)


class TokenizerCache:
    """The tokenizers in use; the least recently used one is dropped first."""

    def __init__(self, substitute: Path | None = None) -> None:
        self.substitute = substitute
        self._loaded: OrderedDict[tuple[str, str | None], PromptCounter] = OrderedDict()
        self._loading = asyncio.Lock()

    async def get(self, name: str, revision: str | None) -> PromptCounter:
        key = (str(self.substitute), None) if self.substitute else (name, revision)
        if key not in self._loaded:
            async with self._loading:
                if key not in self._loaded:
                    self.keep(key, await self._load(name, *key))
        self._loaded.move_to_end(key)
        return self._loaded[key]

    def keep(self, key: tuple[str, str | None], tokenizer: PromptCounter) -> None:
        self._loaded[key] = tokenizer
        while len(self._loaded) > KEPT:
            self._loaded.popitem(last=False)

    async def _load(self, requested: str, name: str, revision: str | None) -> PromptCounter:
        try:
            return await asyncio.to_thread(load, name, revision)
        except Exception as error:  # broken files raise errors of many kinds; all are the documented one
            raise errors.tokenizer(requested) from error


def load(name: str, revision: str | None = None) -> PromptCounter:
    """Raises whatever is wrong with the files, or `NoTokenizerError` when there are none."""
    files = find(name, revision)
    if "tokenizer.json" not in files:
        raise NoTokenizerError("no tokenizer.json")
    config = chat_template.read_config(files.get("tokenizer_config.json"))
    tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
    template = chat_template.load(files.get("chat_template.jinja"), config)
    return PromptCounter(tokenizer, template, chat_template.special_tokens(config))


def find(name: str, revision: str | None) -> dict[str, Path]:
    """The files of a tokenizer: a directory of that name, else the repository of that name in the cache."""
    directory = Path(name)
    if directory.is_dir():
        return {file: directory / file for file in FILES if (directory / file).is_file()}
    cached = {file: huggingface_hub.try_to_load_from_cache(name, file, revision=revision) for file in FILES}
    return {file: Path(path) for file, path in cached.items() if isinstance(path, str)}
