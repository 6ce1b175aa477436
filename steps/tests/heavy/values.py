"""What the cases of several profiles are made of."""

from collections.abc import Callable
from typing import Any

from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import tokens

MIB = 1 << 20
SIZES = (MIB // 4, MIB)
SIGNS = ("a", "9", "/", '"', " ", "_", ".", "[")
TOKENS = tokens.load(TOKENIZER)
EVENTS = (("content-type", "text/event-stream"),)
QUESTION = [{"role": "user", "content": "Please calculate 5 plus 3."}]
ENTRY = {"token": "a", "logprob": -1.0, "top_logprobs": []}
IDS = {"token_ids": [5], "logprobs": {"content": [ENTRY]}}
View = Callable[[int], Any]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def calls(count: int) -> list[dict[str, Any]]:
    function = {"name": "add", "arguments": '{"a": 5, "b": 3}'}
    return [{"id": f"call-{n}", "type": "function", "function": function} for n in range(count)]


def completion(choices: list[Any], **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage}
    return {**head, "choices": choices, **more}


def choice(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", **more}
