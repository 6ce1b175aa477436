"""One generation: the request to the trainer, and the reading of its response."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rollout_conformance.contracts.rollout import wire
from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.common.http_client import HttpResponse
from rollout_conformance.rollout_server.rollout import errors, response_mask, trainer_client
from rollout_conformance.rollout_server.rollout.app_state import AppState
from rollout_conformance.rollout_server.rollout.rollout_state import Message, RolloutState
from rollout_conformance.rollout_server.rollout.start_request import StartRequest

DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 512, "logprobs": True}


@dataclass(frozen=True, slots=True)
class Reply:
    """`message` is the object that the trainer sent, unchanged."""

    message: Message
    calls: Sequence[Message]
    finish_reason: str | None
    prompt_tokens: int
    sampled_tokens: int


async def generate(rollout: RolloutState, app_state: AppState) -> Reply:
    """The trainer's reply to the history of the rollout, counted and checked. Raises `RolloutError`."""
    prompt = await prompt_length(rollout, app_state) if rollout.start.dialect == "sync" else 0
    request = chat_body(rollout, prompt)
    began = time.perf_counter()
    try:
        response = await send(rollout, request, app_state)
    finally:
        rollout.counters.llm_s += time.perf_counter() - began
    reply = read(response, rollout.start)
    app_state.metrics.llm_tokens(reply.prompt_tokens, reply.sampled_tokens)
    rollout.counters.count_reply(reply.prompt_tokens, reply.sampled_tokens)
    if rollout.start.dialect == "sync":
        check_and_keep_turn(rollout, response_mask.Turn(prompt, reply.prompt_tokens, reply.sampled_tokens))
    return reply


async def prompt_length(rollout: RolloutState, app_state: AppState) -> int:
    tokenizer = await app_state.tokenizers.get(rollout.start.tokenizer_name, rollout.start.tokenizer_revision)
    return await tokenizer.prompt_length(rollout.history)


def check_and_keep_turn(rollout: RolloutState, turn: response_mask.Turn) -> None:
    response_mask.check_alignment(rollout.last, turn)
    rollout.last = turn


def chat_body(rollout: RolloutState, prompt: int) -> dict[str, Any]:
    """The request. Sampling values of the start request are passed on unchanged, known or not."""
    body = {"model": "default", "messages": rollout.history}
    if rollout.start.routes is None:  # else its URL identifies the rollout
        body["rollout_id"] = rollout.start.rollout_id
    body |= sampling(rollout.start)
    return (
        body | {"response_mask": response_mask.mask_for(rollout.last, prompt)}
        if rollout.start.dialect == "sync"
        else body
    )


def sampling(start: StartRequest) -> dict[str, Any]:
    absent = {"stop": None} if start.dialect == "sync" else {}
    return DEFAULTS | absent | dict(start.sampling)


async def send(rollout: RolloutState, request: Mapping[str, Any], app_state: AppState) -> HttpResponse:
    start, settings = rollout.start, app_state.settings
    response = await app_state.trainer.post(
        start.chat_url,
        json_text.dumps(request),
        trainer_client.headers(start.api_key) | {"idempotency-key": rollout.turn_key()},
        app_state.generation_policy(start.dialect),
        settings.generation_timeout_s,
    )
    app_state.metrics.llm_request(response.status)
    return response


def read(response: HttpResponse, start: StartRequest) -> Reply:
    if response.status != 200:
        raise errors.from_status(response.status)
    raw = parse(response)
    return to_reply(raw, check(raw, start), start)


def parse(response: HttpResponse) -> Any:
    media_type = response.content_type.partition(";")[0].strip().lower()
    if media_type and "json" not in media_type:
        raise errors.invalid_reply("its content type is not JSON")
    try:
        return json_text.loads(response.body)
    except json_text.NotJsonError as error:
        raise errors.invalid_reply("its body is not JSON") from error


def check(raw: Any, start: StartRequest) -> wire.ChatReply:
    model = wire.TokenChatReply if start.dialect == "sync" else wire.ChatReply
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise errors.invalid_reply(f"something is wrong with {location(error)}") from error


_PROTOCOL_NAME = re.compile(r"[a-z_]+")  # pydantic adds names of union branches, which look different


def location(error: ValidationError) -> str:
    """The location of the first problem, such as `choices.0.message`."""
    steps = [str(step) for step in error.errors(include_input=False)[0]["loc"]]
    return ".".join(step for step in steps if step.isdigit() or _PROTOCOL_NAME.fullmatch(step)) or "its members"


def to_reply(raw: Mapping[str, Any], reply: wire.ChatReply, start: StartRequest) -> Reply:
    message = raw["choices"][0]["message"]
    if not json_text.is_finite(message):
        raise errors.invalid_reply("its message has a number out of range")
    prompt, sampled = count_tokens(reply, start)
    return Reply(message, message.get("tool_calls") or (), reply.choices[0].finish_reason, prompt, sampled)


def count_tokens(reply: wire.ChatReply, start: StartRequest) -> tuple[int, int]:
    """Prompt and sampled tokens: by the ids in the sync dialect, else by `usage`, else by the ids if there are any."""
    usage = reply.usage or wire.Usage()
    if start.dialect == "sync":
        return length(reply.prompt_token_ids), length(reply.token_ids)
    prompt = length(reply.prompt_token_ids) if usage.prompt_tokens is None else usage.prompt_tokens
    sampled = length(reply.token_ids) if usage.completion_tokens is None else usage.completion_tokens
    return prompt, sampled


def length(ids: Any) -> int:
    return len(ids) if isinstance(ids, list) else 0
