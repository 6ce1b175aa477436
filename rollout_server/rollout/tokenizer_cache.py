"""How many tokens a conversation is, by the tokenizer that the trainer named.

Tokenizers come from a local directory or from the Hugging Face cache on this machine. Nothing is downloaded, no code of
a tokenizer is run, and none is replaced by another: what cannot be loaded is the documented `tokenizer_error`. Only
demo mode substitutes, and then the answer says so.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import huggingface_hub
import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from rollout_conformance.rollout_server.rollout import errors

KEPT = 5  # a run uses one tokenizer, now and then two; a big vocabulary takes tens of megabytes
LONG_TEXT = 50_000  # characters; from here on encoding takes longer than a detour through a thread
DEMO = Path(__file__).resolve().parents[2] / "scenarios" / "tokenizer"
FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")


class NoTokenizerError(Exception):
    """There is no usable tokenizer under that name on this machine."""


class ChatTokenizer:
    """A tokenizer with its chat template."""

    def __init__(self, tokenizer: Tokenizer, template: jinja2.Template, special: Mapping[str, str]) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._special = special

    def render(self, messages: Sequence[Any]) -> str:
        """The prompt for the next assistant turn; the tools are left out, as the sync dialect has it."""
        return self._template.render(messages=messages, tools=None, add_generation_prompt=True, **self._special)

    def count(self, text: str) -> int:
        # A lone surrogate has no UTF-8 form; it counts as the replacement character.
        clean = text if text.isascii() else text.encode("utf-8", "replace").decode()
        return len(self._tokenizer.encode(clean, add_special_tokens=False))

    async def prompt_length(self, messages: Sequence[Any]) -> int:
        try:
            text = self.render(messages)
        except Exception as error:  # a template is foreign code and fails in any way it likes
            raise errors.conversation("the chat template cannot render it") from error
        return self.count(text) if len(text) < LONG_TEXT else await asyncio.to_thread(self.count, text)


class Tokenizers:
    """The tokenizers in use, least recently used ones dropped."""

    def __init__(self, substitute: Path | None = None) -> None:
        self.substitute = substitute
        self._loaded: OrderedDict[tuple[str, str | None], ChatTokenizer] = OrderedDict()
        self._loading = asyncio.Lock()

    async def get(self, name: str, revision: str | None) -> ChatTokenizer:
        key = (str(self.substitute), None) if self.substitute else (name, revision)
        if key not in self._loaded:
            async with self._loading:
                if key not in self._loaded:
                    self.keep(key, await self._load(name, *key))
        self._loaded.move_to_end(key)
        return self._loaded[key]

    def keep(self, key: tuple[str, str | None], tokenizer: ChatTokenizer) -> None:
        self._loaded[key] = tokenizer
        while len(self._loaded) > KEPT:
            self._loaded.popitem(last=False)

    async def _load(self, asked: str, name: str, revision: str | None) -> ChatTokenizer:
        try:
            return await asyncio.to_thread(load, name, revision)
        except Exception as error:  # broken files break in many ways, and all of them are the documented error
            raise errors.tokenizer(asked) from error


def load(name: str, revision: str | None = None) -> ChatTokenizer:
    """Raises whatever is wrong with the files, or `NoTokenizerError` when there are none."""
    files = find(name, revision)
    if "tokenizer.json" not in files:
        raise NoTokenizerError("no tokenizer.json")
    config = _config(files)
    tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
    return ChatTokenizer(tokenizer, _environment().from_string(_template(files, config)), _special(config))


def find(name: str, revision: str | None) -> dict[str, Path]:
    """The files of a tokenizer: a directory of that name, else the repository of that name in the cache."""
    directory = Path(name)
    if directory.is_dir():
        return {file: directory / file for file in FILES if (directory / file).is_file()}
    cached = {file: huggingface_hub.try_to_load_from_cache(name, file, revision=revision) for file in FILES}
    return {file: Path(path) for file, path in cached.items() if isinstance(path, str)}


def _config(files: Mapping[str, Path]) -> dict[str, Any]:
    path = files.get("tokenizer_config.json")
    return dict(json.loads(path.read_text("utf-8"))) if path else {}


def _template(files: Mapping[str, Path], config: Mapping[str, Any]) -> str:
    if "chat_template.jinja" in files:
        return files["chat_template.jinja"].read_text("utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):  # several templates by name
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    if not isinstance(template, str):
        raise NoTokenizerError("no chat template")
    return template


def _special(config: Mapping[str, Any]) -> dict[str, str]:
    tokens = {name: config.get(name) for name in SPECIAL}
    texts = {name: token["content"] if isinstance(token, dict) else token for name, token in tokens.items()}
    return {name: text for name, text in texts.items() if text is not None}


def _environment() -> jinja2.Environment:
    # As Hugging Face sets it up: templates are written for exactly this.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
    # jinja's own filter escapes for HTML.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
