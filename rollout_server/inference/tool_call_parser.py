"""Tool calls in sampled text, in the Hermes format (vLLM: `--tool-call-parser hermes`), arguments byte for byte."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.inference import chat_prompt
from rollout_conformance.rollout_server.inference.wire import ChatRequest

OPENING = "<tool_call>"
CALL = re.compile(r'<tool_call>\s*\{"name": "([^"]*)", "arguments": (.*?)\}\s*</tool_call>', re.DOTALL)


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


def parse(request: ChatRequest, text: str) -> tuple[Call, ...]:
    """The calls in the text; none where `tool_choice` is `none`."""
    if chat_prompt.mode(request) == "none":
        return ()
    return tuple(Call(m[1], m[2], m.end(1), m.start(2), m.end(2)) for m in CALL.finditer(text))


def content_end(text: str, calls: Sequence[Call]) -> int:
    """Where the content ends: before the first call."""
    return text.find(OPENING) if calls else len(text)
