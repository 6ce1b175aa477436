"""Text to token ids and back, with the chat template of a local tokenizer directory.

This is the trainer's tokenizer. The rollout server has its own reading of the same files; the two share no code, or the judge
would inherit the mistakes of the judged.
"""

import hashlib
import json
import random
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import jinja2
from tokenizers import Tokenizer

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.peers.quick_sandbox import QuickSandbox

END_OF_TURN = "<|im_end|>"
MOST = 2**31  # no tokenizer has an id beyond this
START_OF_TURN = re.compile(r"(?=<\|im_start\|>)")


def _tojson(value: object, indent: int | None = None) -> str:
    # Chat templates expect plain JSON; jinja's own filter escapes for HTML.
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> str:
    raise SuiteError(f"the chat template refused the conversation: {message}")


class Tokens:
    """A tokenizer and its chat template, loaded from `path`.

    Raises `SuiteError` when the directory lacks a `tokenizer.json` or a chat template.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tokenizer = Tokenizer.from_str(_text(path / "tokenizer.json", path))
        self._template = _environment().from_string(_template_text(path))
        self.hash = hashlib.sha256((path / "tokenizer.json").read_bytes()).hexdigest()[:16]
        self._bordered = self._tokenizer.token_to_id("<|im_start|>") is not None
        self._cached = lru_cache(maxsize=8192)(self._encode)
        self.end_of_turn: int | None = self._tokenizer.token_to_id(END_OF_TURN)

    def render(
        self, messages: Sequence[object], tools: Sequence[object] | None = None, *, generation: bool = True
    ) -> str:
        """The conversation as the model sees it; `generation` appends the opening of an assistant turn."""
        try:
            return self._template.render(messages=messages, tools=tools or None, add_generation_prompt=generation)
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise SuiteError(f"{self.path}: the chat template cannot render this conversation: {error}") from error

    def encode(self, text: str) -> list[int]:
        # A lone surrogate has no UTF-8 form; every tokenizer sees the replacement character in its place.
        clean = text.encode("utf-8", "replace").decode("utf-8")
        return [token for part in self._parts(clean) for token in self._cached(part)]

    def _parts(self, text: str) -> list[str]:
        """The turns of a rendered conversation. A special token is a border that no other token crosses, so turns can be
        encoded one by one, and each of them once: a growing conversation would else cost the square of its length."""
        return START_OF_TURN.split(text) if self._bordered else [text]

    def _encode(self, part: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(part, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int], *, special: bool = True) -> str:
        """The text of these ids, special tokens in it or left out. What is no id has no text."""
        known = [one for one in ids if type(one) is int and 0 <= one < MOST]
        return str(self._tokenizer.decode(known, skip_special_tokens=not special))

    def ends_turn(self, ids: Sequence[int]) -> bool:
        """Whether sampled ids end with a special token: a model may have several that end its turn."""
        return bool(ids) and self.decode(ids[-1:]) != self.decode(ids[-1:], special=False) == ""

    def prompt_ids(self, messages: Sequence[object], tools: Sequence[object] | None = None) -> list[int]:
        return self.encode(self.render(messages, tools))

    def odd_encoding(self, text: str, seed: int) -> list[int]:
        """Ids that decode to `text` but that no encoder would give: some words are spelled in smaller pieces.

        A sampled sequence need not be the canonical one; a server that decodes and encodes again shows by the difference.
        """
        rng = random.Random(seed)
        ids: list[int] = []
        for token in self.encode(text):
            ids += self._split(token, rng)
        return ids

    def _split(self, token: int, rng: random.Random) -> list[int]:
        piece = self._tokenizer.id_to_token(token)
        if piece is None or len(piece) < 2 or piece.startswith("<"):
            return [token]
        cut = rng.randrange(1, len(piece))
        left, right = self._tokenizer.token_to_id(piece[:cut]), self._tokenizer.token_to_id(piece[cut:])
        return [token] if left is None or right is None else [left, right]


@lru_cache(maxsize=8)
def load(path: Path) -> Tokens:
    return Tokens(path)


def _environment() -> jinja2.Environment:
    environment = QuickSandbox(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _refuse
    return environment


def _text(file: Path, directory: Path) -> str:
    if not file.is_file():
        raise SuiteError(
            f"--tokenizer {directory}: no {file.name} there. It must be a local Hugging Face tokenizer directory "
            "(tokenizer.json with chat_template.jinja, or a chat_template in tokenizer_config.json)."
        )
    return file.read_text(encoding="utf-8")


def _template_text(path: Path) -> str:
    if (path / "chat_template.jinja").is_file():
        return (path / "chat_template.jinja").read_text(encoding="utf-8")
    config = path / "tokenizer_config.json"
    template = json.loads(config.read_text(encoding="utf-8")).get("chat_template") if config.is_file() else None
    if not isinstance(template, str):
        raise SuiteError(
            f"--tokenizer {path}: no chat template. Prompts cannot be rendered without one; put it in chat_template.jinja "
            "or under chat_template in tokenizer_config.json."
        )
    return template
