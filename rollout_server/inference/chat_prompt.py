"""From a conversation to prompt ids: only the chat template changes anything."""

from collections.abc import Sequence
from typing import Any

from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer, Tools
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.inference import errors
from rollout_conformance.rollout_server.inference.wire import ChatRequest, Conversation, TokenizeRequest


def chat_ids(tokens: ChatTokenizer, request: ChatRequest) -> list[int]:
    return ids(tokens, request.messages, visible_tools(request))


def tokenize_ids(tokens: ChatTokenizer, request: TokenizeRequest) -> list[int]:
    if request.messages is None:
        return tokens.encode(request.prompt or "")
    return ids(tokens, request.messages, request.tools, generation=request.add_generation_prompt)


def ids(tokens: ChatTokenizer, messages: Conversation, tools: Tools, *, generation: bool = True) -> list[int]:
    """Raises `ApiError` 400 for a conversation that the template rejects."""
    try:
        return tokens.encode(tokens.render(history(messages), tools, generation=generation))
    except ApiError as error:
        raise errors.bad(error.message, "messages") from error


def history(messages: Conversation) -> Conversation:
    """The messages for the template: arguments unchanged, reasoning included."""
    return messages


def visible_tools(request: ChatRequest) -> Sequence[dict[str, Any]] | None:
    """The tools in the prompt: none with `tool_choice` none (vLLM: --exclude-tools-when-tool-choice-none)."""
    return None if mode(request) == "none" else request.tools


def mode(request: ChatRequest) -> str:
    """`auto`, `none`, `required` or `named`."""
    choice = request.tool_choice
    if choice is None or isinstance(choice, str):
        return choice or ("auto" if request.tools else "none")
    return "named"
