"""One generation: what is asked of the trainer, and what is made of its answer."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rollout_conformance.contracts.rollout import wire
from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.rollout import errors, response_mask, trainer_client
from rollout_conformance.rollout_server.rollout.rollout_state import Message, Rollout
from rollout_conformance.rollout_server.rollout.start_request import Start
from rollout_conformance.rollout_server.rollout.trainer_client import Answer

if TYPE_CHECKING:
    from rollout_conformance.rollout_server.rollout.service import Kit

DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 512, "logprobs": True}


@dataclass(frozen=True, slots=True)
class Reply:
    """`message` is the very object that the trainer sent."""

    message: Message
    calls: Sequence[Message]
    finish_reason: str | None
    prompt_tokens: int
    sampled_tokens: int


async def ask(rollout: Rollout, kit: "Kit") -> Reply:
    """The reply to the history of the rollout, counted and checked."""
    prompt = await prompt_length(rollout, kit) if rollout.start.dialect == "sync" else 0
    request = chat_body(rollout, prompt)
    began = time.perf_counter()
    try:
        answer = await send(rollout, request, kit)
    finally:
        rollout.tally.llm_s += time.perf_counter() - began
    reply = read(answer, rollout.start)
    kit.metrics.llm_tokens(reply.prompt_tokens, reply.sampled_tokens)
    rollout.tally.count_reply(reply.prompt_tokens, reply.sampled_tokens)
    if rollout.start.dialect == "sync":
        align(rollout, response_mask.Turn(prompt, reply.prompt_tokens, reply.sampled_tokens))
    return reply


async def prompt_length(rollout: Rollout, kit: "Kit") -> int:
    tokenizer = await kit.tokenizers.get(rollout.start.tokenizer_name, rollout.start.tokenizer_revision)
    return await tokenizer.prompt_length(rollout.history)


def align(rollout: Rollout, turn: response_mask.Turn) -> None:
    response_mask.check_alignment(rollout.last, turn)
    rollout.last = turn


def chat_body(rollout: Rollout, prompt: int) -> dict[str, Any]:
    """The request; sampling values go out as they came in, known or not."""
    body = {"model": "default", "messages": rollout.history}
    if rollout.start.dialect != "routed":  # its URL says whose it is
        body["rollout_id"] = rollout.start.rollout_id
    body |= sampling(rollout.start)
    return (
        body | {"response_mask": response_mask.mask_for(rollout.last, prompt)}
        if rollout.start.dialect == "sync"
        else body
    )


def sampling(start: Start) -> dict[str, Any]:
    absent = {"stop": None} if start.dialect == "sync" else {}
    return DEFAULTS | absent | dict(start.sampling)


async def send(rollout: Rollout, request: Mapping[str, Any], kit: "Kit") -> Answer:
    start, settings = rollout.start, kit.settings
    answer = await kit.trainer.post(
        start.chat_url,
        json_text.dumps(request),
        trainer_client.headers(start.api_key) | {"idempotency-key": rollout.turn_key()},
        kit.generation_policy(start.dialect),
        settings.generation_timeout_s,
    )
    kit.metrics.llm_request(answer.status)
    return answer


def read(answer: Answer, start: Start) -> Reply:
    if answer.status != 200:
        raise errors.from_status(answer.status)
    raw = parse(answer)
    return understand(raw, check(raw, start), start)


def parse(answer: Answer) -> Any:
    media_type = answer.content_type.partition(";")[0].strip().lower()
    if media_type and "json" not in media_type:
        raise errors.invalid_reply("its content type is not JSON")
    try:
        return json_text.loads(answer.body)
    except json_text.NotJsonError as error:
        raise errors.invalid_reply("its body is not JSON") from error


def check(raw: Any, start: Start) -> wire.ChatReply:
    model = wire.TokenChatReply if start.dialect == "sync" else wire.ChatReply
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise errors.invalid_reply(f"something is wrong with {where(error)}") from error


_OURS = re.compile(r"[a-z_]+")  # names of the protocol; a union adds names of its own, which look different


def where(error: ValidationError) -> str:
    """The place of the first problem, such as `choices.0.message`."""
    steps = [str(step) for step in error.errors(include_input=False)[0]["loc"]]
    return ".".join(step for step in steps if step.isdigit() or _OURS.fullmatch(step)) or "its members"


def understand(raw: Mapping[str, Any], reply: wire.ChatReply, start: Start) -> Reply:
    message = raw["choices"][0]["message"]
    if not json_text.is_finite(message):
        raise errors.invalid_reply("its message has a number out of range")
    prompt, sampled = count_tokens(reply, start)
    return Reply(message, message.get("tool_calls") or (), reply.choices[0].finish_reason, prompt, sampled)


def count_tokens(reply: wire.ChatReply, start: Start) -> tuple[int, int]:
    """Prompt and sampled tokens: ids where the dialect has them, else what `usage` says, else what there is."""
    usage = reply.usage or wire.Usage()
    if start.dialect == "sync":
        return length(reply.prompt_token_ids), length(reply.token_ids)
    prompt = length(reply.prompt_token_ids) if usage.prompt_tokens is None else usage.prompt_tokens
    sampled = length(reply.token_ids) if usage.completion_tokens is None else usage.completion_tokens
    return prompt, sampled


def length(ids: Any) -> int:
    return len(ids) if isinstance(ids, list) else 0
