"""The tokens of a generation: its prompt is the conversation, and its sampled ids are its message."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, Finding
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.peers.conversation_forms import other_forms
from rollout_conformance.steps.peers.token_oracle import completion_text
from rollout_conformance.steps.peers.tokens import END_OF_TURN, Tokens
from rollout_conformance.steps.profiles.trainer.invariants.evidence import broken, satisfied
from rollout_conformance.steps.profiles.trainer.state import Call, CaseView, JsonObject, RolloutState
from rollout_conformance.steps.profiles.trainer.token_members import hint

WITHOUT_TOOLS = "the prompt of the conversation without tools"
TOOLS_IN_REQUEST = "If generation requests have their `tools` themselves, write on the card: `tools_in: request`"


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def generation_tokens(
    view: CaseView, rollout: RolloutState, call: Call, body: JsonObject, past: list[int]
) -> Iterator[Evidence]:
    """`past` are the prompt and the sampled ids of the generation that this one continues."""
    ids, logprobs, prompt = (body.get(name) for name in ("token_ids", "logprobs", "prompt_token_ids"))
    whole = all(isinstance(v, list) for v in (ids, logprobs, prompt))
    if not whole or not all(map(is_integer, [*ids, *prompt])) or not all(isinstance(v, int | float) for v in logprobs):  # type: ignore[misc,union-attr]
        where = "" if isinstance(ids, list) else hint(body, view.token_ids_at)
        observed = f"token_ids {show(ids)}, logprobs {show(logprobs)}, prompt_token_ids {show(prompt)}{where}"
        yield broken(180, "three lists of numbers", observed, call.n)
        return
    assert isinstance(ids, list)
    assert isinstance(logprobs, list)
    assert isinstance(prompt, list)
    if len(ids) != len(logprobs):
        yield broken(180, "one logprob for each of token_ids", f"{len(ids)} ids and {len(logprobs)} logprobs", call.n)
    else:
        yield satisfied(180)
    yield _sampled(view, call, body, ids, rollout.tools)
    yield rendered_prompt(view, call, prompt, past, rollout)


def _sampled(view: CaseView, call: Call, body: JsonObject, ids: list[int], tools: Sequence[Any]) -> Evidence:
    """Whether the sampled ids are those of the message."""
    choice, messages = body["choices"][0], call.body["messages"]
    expected = completion_text(view.tokens, messages, choice["message"], tools)
    if view.tokens.ends_turn(ids) and expected.endswith(END_OF_TURN):  # whichever token it ended its turn with
        return _same_text(182, view.tokens, ids[:-1], expected.removesuffix(END_OF_TURN), "token_ids", call.n)
    if choice["finish_reason"] == "length" or call.body.get("stop"):
        return _truncated_text(view.tokens, ids, choice["message"], expected.removesuffix(END_OF_TURN), call.n)
    return _same_text(182, view.tokens, ids, expected, "token_ids", call.n)


def rendered_prompt(view: CaseView, call: Call, prompt: list[int], past: list[int], rollout: RolloutState) -> Evidence:
    """Whether the prompt ids are those of the conversation. While nothing was sampled there is one right encoding of it."""
    messages, tools = call.body["messages"], rollout.tools
    opening = not any(isinstance(m, dict) and m.get("role") == "assistant" for m in messages)
    canonical = view.tokens.prompt_ids(messages, tools) if opening else prompt
    if prompt == canonical:
        return _whole_prompt(view.tokens, messages, tools, prompt, past, call.n)
    if tools and prompt == view.tokens.prompt_ids(messages, ()):
        return _without_tools(rollout, call.n)
    different = (k for k, (a, b) in enumerate(zip(prompt, canonical, strict=False)) if a != b)
    at = next(different, min(len(prompt), len(canonical)))
    expected = f"the {len(canonical)} ids of the conversation with its tools"
    return broken(183, expected, f"{len(prompt)} ids, another one at {at}", call.n)


def _without_tools(rollout: RolloutState, n: int) -> Finding:
    names = ", ".join(str(mapping(mapping(tool).get("function")).get("name")) for tool in rollout.tools)
    if rollout.sent_tools:
        return broken(183, f"the tools {names} of the request in the prompt", WITHOUT_TOOLS, n)
    return broken(196, f"the tools {names} in the prompt", f"{WITHOUT_TOOLS}. {TOOLS_IN_REQUEST}", n)


def _whole_prompt(
    tokens: Tokens, messages: list[Any], tools: Sequence[object], prompt: list[int], past: list[int], n: int
) -> Evidence:
    """What follows the turn before is compared with its white space, which nobody sampled."""
    whole = tokens.render(messages, tools)
    tail = _inserted_text(tokens, messages, tools, whole, tokens.ends_turn(past))
    if tail is None or prompt[: len(past)] != past or not past:
        return _rendered(tokens, messages, tools, prompt, whole, n)
    observed = tokens.decode(prompt[len(past) :])
    if tokens.decode(prompt).endswith(tail) and not _added(observed, tail, whole):
        return satisfied(183)
    return broken(183, f"{show(tail)} behind the tokens of the turn before", show(observed), n)


def _added(inserted: str, tail: str, whole: str) -> str:
    """What is inserted before the tail of a conversation and is not part of it: a truncated turn lacks its end, which belongs there."""
    before, known = (re.sub(r"\s+", "", text.removesuffix(tail)) for text in (inserted, whole))
    return before if inserted.endswith(tail) and not known.endswith(before) else ""


def _rendered(
    tokens: Tokens, messages: list[Any], tools: Sequence[object], prompt: list[int], whole: str, n: int
) -> Evidence:
    """Whether a prompt is the conversation in one of the forms in which a trainer may hand it to its chat template."""
    found = _same_text(183, tokens, prompt, whole, "prompt_token_ids", n)
    if not isinstance(found, Finding):
        return found
    forms = other_forms(tokens, messages, tools)
    texts = (_same_text(183, tokens, prompt, text, "prompt_token_ids", n) for text in forms)
    return next((one for one in texts if not isinstance(one, Finding)), found)


def _inserted_text(tokens: Tokens, messages: list[Any], tools: Sequence[object], whole: str, ended: bool) -> str | None:
    """What the chat template renders behind the last turn of the assistant, None where it writes that turn otherwise now. The end of a
    turn that has none is inserted as well."""
    last = max((k for k, message in enumerate(messages) if message.get("role") == "assistant"), default=None)
    if last is None:
        return None
    head, end, _ = tokens.render(messages[: last + 1], tools, generation=False).rpartition(END_OF_TURN)
    known = head + end if ended else head
    return whole[len(known) :] if end and whole.startswith(known) else None


def _truncated_text(tokens: Tokens, ids: list[int], message: JsonObject, expected: str, n: int) -> Evidence:
    """A truncated turn has no end, and a message may leave out the part of it that can no longer be read, such as half a tool call."""
    found = _same_text(182, tokens, ids, expected, "token_ids", n)
    if isinstance(found, Finding) and ids and _ends_in_call(tokens.decode(ids), expected, message):
        return satisfied(182)
    said = re.sub(r"\s+", "", str(message.get("content") or ""))
    if isinstance(found, Finding) and not message.get("tool_calls") and ids:
        shown = re.sub(r"\s+", "", tokens.decode(ids))
        return satisfied(182) if said in shown else found
    return found


def _ends_in_call(sampled: str, expected: str, message: JsonObject) -> bool:
    """Whether the tokens end within the last tool call of a message, with what was sampled of its arguments. The template closes the call."""
    made = mapping(next(reversed(mappings(message.get("tool_calls"))), {})).get("function")
    arguments = mapping(made).get("arguments")
    if not isinstance(arguments, str) or isinstance(parse(arguments.encode("utf-8", "replace")), Mapping):
        return False
    whole, ids, shown = (re.sub(r"\s+", "", text) for text in (expected, sampled, arguments))
    return whole.startswith(ids) and (shown in ids or shown not in whole)


def _same_text(number: int, tokens: Tokens, ids: list[int], expected: str, name: str, n: int) -> Evidence:
    """Whether ids are the tokens of a text; other ids for it, and other whitespace in what was sampled, are right as well."""
    try:
        observed = tokens.decode(ids)
    except (OverflowError, ValueError, TypeError):
        return broken(number, f"{name} of the tokenizer", f"{name}: {show(ids)}", n)
    one, two = (re.sub(r"\s+", "", text) for text in (expected, observed))
    if one == two:
        return satisfied(number)
    at = next((k for k, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return broken(
        number, f"{name} decode to ...{show(one[at - 20 : at + 40])}", f"...{show(two[at - 20 : at + 40])}", n
    )
