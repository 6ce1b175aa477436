"""The `chat.completion` body, with the members that vLLM always sends."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.inference import chat_prompt, tool_call_parser
from rollout_conformance.rollout_server.inference.sampling import Choice
from rollout_conformance.rollout_server.inference.wire import ChatRequest

ALWAYS_NULL = ("refusal", "annotations", "audio", "function_call", "reasoning")


@dataclass(frozen=True, slots=True)
class ResponseContext:
    """What all chunks of one response have in common."""

    id: str
    model: str
    request: ChatRequest
    prompt: tuple[int, ...]
    created: int = field(default_factory=lambda: int(time.time()))

    def head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def count(request: ChatRequest) -> int:
    return request.n or 1


def body(context: ResponseContext, choices: Sequence[Choice]) -> dict[str, Any]:
    return {
        **context.head("chat.completion"),
        "choices": [choice_body(context.request, choice) for choice in choices],
        "service_tier": None,
        "system_fingerprint": None,
        "usage": usage(context, choices),
        "prompt_logprobs": None,
        "prompt_token_ids": prompt_ids(context),
        "prompt_text": None,
        "kv_transfer_params": None,
    }


def choice_body(request: ChatRequest, choice: Choice) -> dict[str, Any]:
    return {
        "index": choice.index,
        "message": message(request, choice),
        "logprobs": {"content": [*choice.logprobs]} if request.logprobs else None,
        "finish_reason": choice.finish_reason,
        "stop_reason": choice.stop_reason,
        "token_ids": token_ids(request, choice),
        "routed_experts": None,
    }


def message(request: ChatRequest, choice: Choice) -> dict[str, Any]:
    """`tool_calls` only with calls; an empty content is null where the policy chose to call (`tool_choice` auto)."""
    content: str | None = choice.text[: tool_call_parser.content_end(choice.text, choice.calls)]
    if choice.calls and not content and chat_prompt.mode(request) == "auto":
        content = None
    body = {"role": "assistant", "content": content, **dict.fromkeys(ALWAYS_NULL)}
    return body | ({"tool_calls": [call.wire() for call in choice.calls]} if choice.calls else {})


def prompt_ids(context: ResponseContext) -> list[int] | None:
    return [*context.prompt] if context.request.return_token_ids else None


def token_ids(request: ChatRequest, choice: Choice) -> list[int] | None:
    return [*choice.token_ids] if request.return_token_ids else None


def usage(context: ResponseContext, choices: Sequence[Choice]) -> dict[str, Any]:
    prompt, completion = len(context.prompt), sum(len(choice.texts) for choice in choices)
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": None,
    }
