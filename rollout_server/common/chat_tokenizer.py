"""Text to token ids and back, with the chat template of a local tokenizer directory. Nothing is downloaded.

The rollout server has its own reading of the same files (rollout_server/tokens.py): a rollout between the two is a test of both.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from rollout_conformance.rollout_server.trainer import errors
from rollout_conformance.rollout_server.trainer.settings import SettingsError

SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]] | None


class ChatTokens:
    """A tokenizer with its chat template.

    `render` gives text, `encode` a list of token ids. Raises `RefusedError` 422 for a conversation that the template refuses.
    """

    def __init__(self, tokenizer: Tokenizer, template: jinja2.Template, special: Mapping[str, str]) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._special = special
        self.end_of_turn = special.get("eos_token", "")

    def render(self, messages: Messages, tools: Tools = None, *, generation: bool = True) -> str:
        """The conversation as the policy sees it; `generation` opens the turn of the assistant."""
        try:
            text = self._template.render(
                messages=messages, tools=tools or None, add_generation_prompt=generation, **self._special
            )
        except Exception as error:  # a template is foreign code and fails in any way it likes
            raise errors.unrenderable() from error
        # A lone surrogate has no UTF-8 form; the policy sees the replacement character in its place.
        return text if text.isascii() else text.encode("utf-8", "replace").decode()

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int], *, special: bool = True) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=not special))


def load(directory: Path) -> ChatTokens:
    """Raises `SettingsError` when the directory holds no usable tokenizer."""
    try:
        config = _config(directory)
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        template = _environment().from_string(_template(directory, config))
    except Exception as error:  # broken files break in many ways
        raise SettingsError(
            f"TRAINER_TOKENIZER: no usable tokenizer in {directory}; it needs tokenizer.json and a chat template"
        ) from error
    return ChatTokens(tokenizer, template, _special(config))


def _config(directory: Path) -> dict[str, Any]:
    file = directory / "tokenizer_config.json"
    return dict(json.loads(file.read_text("utf-8"))) if file.is_file() else {}


def _template(directory: Path, config: Mapping[str, Any]) -> str:
    file = directory / "chat_template.jinja"
    if file.is_file():
        return file.read_text("utf-8")
    template = config["chat_template"]
    if isinstance(template, list):  # several templates by name
        template = {entry["name"]: entry["template"] for entry in template}["default"]
    return str(template)


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
