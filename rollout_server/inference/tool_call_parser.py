"""Tool calls in sampled text, in the Hermes format (vLLM: `--tool-call-parser hermes`), arguments byte for byte."""

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.inference import chat_prompt
from rollout_conformance.rollout_server.inference.wire import ChatRequest

OPENING = "<tool_call>"
CALL = re.compile(r'<tool_call>\s*\{"name": "([^"]*)", "arguments": (.*?)\}\s*</tool_call>', re.DOTALL)

CUT_CALL = re.compile(r'<tool_call>\s*\{"name": "([^"]*)", "arguments": \{')


@dataclass(frozen=True, slots=True)
class Call:
    """`begin` and `end` are the span of the arguments in the text; `opened` is the position where the name is complete."""

    name: str
    arguments: str
    opened: int
    begin: int
    end: int
    id: str = field(default_factory=lambda: f"chatcmpl-tool-{secrets.token_hex(8)}")

    def wire(self) -> dict[str, Any]:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": arguments(self)}}


def arguments(call: Call) -> str:
    """As sampled: parsing and serializing them would give a text that the policy never sampled."""
    return call.arguments


def parse(request: ChatRequest, text: str, *, is_cut: bool = False) -> tuple[Call, ...]:
    """The calls in the text; none where `tool_choice` is `none`. The last one of a cut text may lack a part of its arguments."""
    if chat_prompt.mode(request) == "none":
        return ()
    whole = [Call(m[1], m[2], m.end(1), m.start(2), m.end(2)) for m in CALL.finditer(text)]
    last = text.rfind(OPENING) if is_cut else -1
    cut = CUT_CALL.match(text, last) if last >= (whole[-1].end if whole else 0) else None
    return (*whole, cut_call(text, cut)) if cut else tuple(whole)


def cut_call(text: str, found: re.Match[str]) -> Call:
    begin = found.end() - 1
    end = arguments_end(text, begin)
    return Call(found[1], text[begin:end], found.end(1), begin, end)


def arguments_end(text: str, begin: int) -> int:
    """Behind the object that begins there; where it is not complete, at the end of the text."""
    try:
        return json.JSONDecoder().raw_decode(text, begin)[1]
    except (ValueError, RecursionError):
        return len(text)


def content_end(text: str, calls: Sequence[Call]) -> int:
    """Where the content ends: before the first call."""
    return text.find(OPENING) if calls else len(text)
