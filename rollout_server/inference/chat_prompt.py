"""From a conversation to the ids that the policy sees: the chat template decides, and nothing is changed before it."""

from collections.abc import Sequence
from typing import Any

from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokens, Tools
from rollout_conformance.rollout_server.inference import errors
from rollout_conformance.rollout_server.inference.wire import ChatRequest, Conversation, TokenizeRequest
from rollout_conformance.rollout_server.trainer.errors import RefusedError


def of_chat(tokens: ChatTokens, request: ChatRequest) -> list[int]:
    return ids(tokens, request.messages, shown(request))


def of_tokenize(tokens: ChatTokens, request: TokenizeRequest) -> list[int]:
    if request.messages is None:
        return tokens.encode(request.prompt or "")
    return ids(tokens, request.messages, request.tools, generation=request.add_generation_prompt)


def ids(tokens: ChatTokens, messages: Conversation, tools: Tools, *, generation: bool = True) -> list[int]:
    """Raises `EngineError` 400 for a conversation that the template refuses."""
    try:
        return tokens.encode(tokens.render(history(messages), tools, generation=generation))
    except RefusedError as error:
        raise errors.bad(error.message, "messages") from error


def history(messages: Conversation) -> Conversation:
    """The past as the template gets it: arguments as they were written, reasoning included."""
    return messages


def shown(request: ChatRequest) -> Sequence[dict[str, Any]] | None:
    """The tools that the policy sees: none where it must not call one, as vLLM does with --exclude-tools-when-tool-choice-none."""
    return None if mode(request) == "none" else request.tools


def mode(request: ChatRequest) -> str:
    """`auto`, `none`, `required` or `named`."""
    choice = request.tool_choice
    if choice is None or isinstance(choice, str):
        return choice or ("auto" if request.tools else "none")
    return "named"
