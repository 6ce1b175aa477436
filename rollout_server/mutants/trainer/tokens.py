"""Defects of token ids and logprobs of replies."""

from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common import chat_tokenizer
from rollout_conformance.rollout_server.mutants.dialects import SYNC
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, put
from rollout_conformance.rollout_server.mutants.trainer.patches import without
from rollout_conformance.rollout_server.trainer import (
    chat_completion,
    prompt,
)


def _tokens(change: Any) -> Any:
    return after(chat_completion, "tokens", change)


def _rounded(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "logprobs": body["logprobs"][:-1]}


def _nested(body: dict[str, Any]) -> dict[str, Any]:
    """In OpenAI's form: `logprobs.content`."""
    content = [{"token": str(n), "logprob": logprob} for n, logprob in enumerate(body["logprobs"])]
    return {**body, "logprobs": {"content": content}}


def _shown(change: Any) -> Any:
    """Change the returned tokens, not the stored ones."""
    return around(
        chat_completion, "body", lambda original, session, made, model: original(session, change(made), model)
    )


def _half_a_prompt(made: Any) -> Any:
    return replace(made, prompt_token_ids=made.prompt_token_ids[:-2])


def _another_prompt(made: Any) -> Any:
    first, *ids = made.prompt_token_ids
    return replace(made, prompt_token_ids=(first + 1, *ids))


def _content_only(tokens: Any, messages: Any, message: dict[str, Any], tools: Any) -> str:
    return f"{message['content']}{tokens.end_of_turn}"


def _no_end(original: Any, tokens: Any, *rest: Any) -> str:
    return str(original(tokens, *rest)).removesuffix(tokens.end_of_turn)


def _without_line_break(original: Any, tokens: Any, past: Any, *rest: Any) -> Any:
    """What was inserted begins behind the line break that the chat template renders there."""
    built = original(tokens, past, *rest)
    inserted = tuple(tokens.encode(tokens.decode(built.inserted).removeprefix("\n")))
    return replace(built, token_ids=past.token_ids + inserted, inserted=inserted)


def _end_once_more(original: Any, tokens: Any, past: Any, *rest: Any) -> Any:
    """What the template renders behind the text of a reply without special tokens: it begins with the end of the turn, which was sampled."""
    built = original(tokens, past, *rest)
    end = tuple(tokens.encode(tokens.end_of_turn))
    if not built.follows or past.token_ids[-1:] != end:
        return built
    inserted = end + built.inserted
    return replace(built, token_ids=past.token_ids + inserted, inserted=inserted)


def _of_content(original: Any, session: Any, made: Any, model: Any) -> Any:
    body = original(session, made, model)
    usage = {**body["usage"], "completion_tokens": 1, "total_tokens": body["usage"]["prompt_tokens"] + 1}
    return {**body, "usage": usage}


MUTANTS = (
    Mutant("short_logprobs", breaks="180", what="a logprob is missing", patch=_tokens(_rounded), dialects=SYNC),
    Mutant(
        "nested_logprobs",
        breaks="180",
        what="logprobs are below a member `content`",
        patch=_tokens(_nested),
        dialects=SYNC,
    ),
    Mutant(
        "no_prompt_ids",
        breaks="180",
        also=("183", "189"),
        what="prompt_token_ids are missing",
        patch=_tokens(without("prompt_token_ids")),
        dialects=SYNC,
    ),
    Mutant(
        "content_only",
        breaks="182",
        also=("178", "183", "189", "200"),
        what="the ids leave out the tool calls",
        patch=put(chat_tokenizer, "sampled_text", _content_only),
        dialects=SYNC,
    ),
    Mutant(
        "no_end_of_turn",
        breaks="182",
        what="the ids leave out the end of the turn",
        patch=around(chat_tokenizer, "sampled_text", _no_end),
        dialects=SYNC,
    ),
    Mutant(
        "no_line_breaks",
        breaks="183",
        also=("185",),
        what="the line break between a turn of the assistant and the next one is missing",
        patch=around(prompt, "build", _without_line_break),
        dialects=SYNC,
    ),
    Mutant(
        "end_of_turn_twice",
        breaks="313",
        also=("185",),
        what="the end of a turn is inserted behind the sampled one",
        patch=around(prompt, "build", _end_once_more),
    ),
    Mutant(
        "usage_of_one_token",
        breaks="181",
        what="usage counts one sampled token in each generation",
        patch=around(chat_completion, "body", _of_content),
        dialects=SYNC,
    ),
    Mutant(
        "another_prompt",
        breaks="183",
        also=("189",),
        what="the first id of prompt_token_ids is wrong",
        patch=_shown(_another_prompt),
        dialects=SYNC,
    ),
    Mutant(
        "half_a_prompt",
        breaks="183",
        also=("*",),
        what="prompt_token_ids lack the end of the prompt",
        patch=_shown(_half_a_prompt),
        dialects=SYNC,
    ),
)
