"""The chat template of a tokenizer, rendered as Hugging Face `transformers` renders it (`apply_chat_template`)."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")


class NoTemplateError(Exception):
    """The tokenizer has no chat template."""


def read_config(file: Path | None) -> dict[str, Any]:
    """`tokenizer_config.json`, which a tokenizer need not have."""
    return dict(json.loads(file.read_text("utf-8"))) if file is not None and file.is_file() else {}


def load(file: Path | None, config: Mapping[str, Any]) -> jinja2.Template:
    """From `chat_template.jinja`, else from the configuration. Raises `NoTemplateError`, or jinja's errors."""
    return environment().from_string(_source(file, config))


def _source(file: Path | None, config: Mapping[str, Any]) -> str:
    if file is not None and file.is_file():
        return file.read_text("utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):  # several templates by name
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    if not isinstance(template, str):
        raise NoTemplateError("no chat template")
    return template


def special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    tokens = {name: config.get(name) for name in SPECIAL}
    texts = {name: token["content"] if isinstance(token, dict) else token for name, token in tokens.items()}
    return {name: text for name, text in texts.items() if text is not None}


def environment() -> jinja2.Environment:
    # The settings, filters and globals of transformers: templates are written for exactly these.
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
