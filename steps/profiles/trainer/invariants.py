"""What holds for every rollout that a trainer runs, whatever a case is about. Pure functions of the trace."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rollout_conformance.contracts.lifecycle import OutOfOrder, advance
from rollout_conformance.contracts.trainer.lifecycle import BREACHES, IDLE, READY, STARTED, TABLES
from rollout_conformance.steps.engine import internal_error_patterns as inside
from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings
from rollout_conformance.steps.engine.trace import Exchange, NotJson, parse
from rollout_conformance.steps.peers.end_of_turn_texts import left_in
from rollout_conformance.steps.peers.token_oracle import completion_text
from rollout_conformance.steps.peers.tokens import END_OF_TURN, Tokens
from rollout_conformance.steps.profiles.trainer.state import (
    Call,
    CaseView,
    JsonObject,
    RolloutState,
    recorded,
    sound,
)
from rollout_conformance.steps.profiles.trainer.token_members import hint
from rollout_conformance.steps.profiles.trainer.truncation import (
    choice,
    finished,
    nothing_sampled,
    stopped,
    within_max_tokens,
)

WITHOUT_TOOLS = "the prompt of the conversation without tools"
TOOLS_IN_REQUEST = "If generation requests have their `tools` themselves, write on the card: `tools_in: request`"


def satisfied(number: int) -> Satisfied:
    return Satisfied(f"TRAINER-{number}")


def broken(number: int, expected: str, observed: str, *exchanges: int) -> Finding:
    return Finding(f"TRAINER-{number}", expected, observed, exchanges)


def replies(view: CaseView) -> Iterator[Evidence]:
    """The shape of every generation that was answered, and its tokens."""
    for rollout in view.rollouts.values():
        earlier: list[tuple[list[Any], list[int]]] = []
        for call, body in view.replies(rollout):
            messages = listed(call.body.get("messages"))
            past = _past(earlier, messages)
            earlier.append(([*messages, mapping(choice(body)).get("message")], _ids(body)))
            shaped = list(_shape(call, body))
            yield from shaped
            if any(isinstance(item, Finding) for item in shaped):
                continue
            limited = [*nothing_sampled(view, call, body), *within_max_tokens(view, call, body)]
            if limited:
                yield from limited
                continue
            yield from stopped(call, body)
            yield from _end_of_turn(call, body)
            yield from _usage(view, call, body)
            yield from _calls(call, body)
            if view.shows_tokens and sound(body["choices"][0]["message"]):
                found = list(_tokens(view, rollout, call, body, past))
                yield from found
                yield from () if any(isinstance(item, Finding) for item in found) else _counts(call, body)


def _past(earlier: Sequence[tuple[list[Any], list[int]]], messages: list[Any]) -> list[int]:
    """The tokens of the last generation that these messages continue; none where they continue none."""
    return next((ids for known, ids in reversed(earlier) if messages[: len(known)] == known), [])


def _ids(body: JsonObject) -> list[int]:
    """The prompt of a generation and what was sampled after it."""
    ids = [*listed(body.get("prompt_token_ids")), *listed(body.get("token_ids"))]
    return [one for one in ids if isinstance(one, int)]


def _shape(call: Call, body: JsonObject) -> Iterator[Evidence]:
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    for ok, expected, observed in (
        (isinstance(body.get("id"), str) and body["id"], "a text as id", f"id: {show(body.get('id'))}"),
        (_integer(body.get("created")), "an integer as created", f"created: {show(body.get('created'))}"),
        (
            isinstance(message, dict) and message.get("role") == "assistant",
            "an assistant message in choices[0]",
            show(choice),
        ),
        (
            isinstance(choice.get("finish_reason"), str),
            "a finish_reason",
            f"finish_reason: {show(choice.get('finish_reason'))}",
        ),
    ):
        yield satisfied(179) if ok else broken(179, expected, observed, call.n)


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _usage(view: CaseView, call: Call, body: JsonObject) -> Iterator[Evidence]:
    usage = body.get("usage")
    if usage is None and "usage" not in body and view.dialect == "sync":
        return
    if not isinstance(usage, dict):
        yield broken(181, "usage with its three sums", f"usage: {show(usage)}", call.n)
        return
    prompt, sampled, total = (usage.get(f"{name}_tokens") for name in ("prompt", "completion", "total"))
    if not all(_integer(value) for value in (prompt, sampled, total)) or prompt + sampled != total:  # type: ignore[operator]
        yield broken(181, "total_tokens = prompt_tokens + completion_tokens", f"usage: {show(usage)}", call.n)
    else:
        yield satisfied(181)


def _end_of_turn(call: Call, body: JsonObject) -> Iterator[Evidence]:
    """The text of the end-of-turn token belongs to the token ids, and not to the message."""
    content = mapping(choice(body).get("message")).get("content")
    if not isinstance(content, str) or not finished(body) or call.body.get("skip_special_tokens") is False:
        return
    if left_in(content, json.dumps(call.body, ensure_ascii=False, default=str)):
        yield broken(312, "a content without the text of the end-of-turn token", show(content[-60:]), call.n)
    else:
        yield satisfied(312)


def _counts(call: Call, body: JsonObject) -> Iterator[Evidence]:
    """`usage` compared with the ids; some leave out the end of the turn."""
    usage = mapping(body.get("usage"))
    for name, ids in (("prompt_tokens", "prompt_token_ids"), ("completion_tokens", "token_ids")):
        said, number = usage.get(name), len(listed(body.get(ids)))
        if isinstance(said, int) and abs(said - number) > 1:
            yield broken(181, f"{name} of {number}, as {ids} shows", f"{name}: {said}", call.n)


def _calls(call: Call, body: JsonObject) -> Iterator[Evidence]:
    known = {show(c.get("id")) for m in call.body["messages"] for c in mappings(mapping(m).get("tool_calls"))}
    message = body["choices"][0]["message"]
    calls = message.get("tool_calls") or []
    cut = body["choices"][0].get("finish_reason") == "length"  # then the last call ends where the tokens did
    for k, made in enumerate(calls if isinstance(calls, list) else [calls], 1):
        function = made.get("function") if isinstance(made, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        name = made.get("id") if isinstance(made, dict) else None
        good = isinstance(name, str) and bool(name) and made.get("type") == "function" and isinstance(arguments, str)
        value = parse(arguments.encode("utf-8", "replace")) if isinstance(arguments, str) else NotJson("no string")
        truncated = cut and isinstance(calls, list) and k == len(calls) and isinstance(value, NotJson)
        if not good or not (truncated or isinstance(value, dict)):
            yield broken(
                200, "an id, type function, and arguments that are a text with a JSON object", show(made), call.n
            )
        elif show(name) in known:
            yield broken(200, "an id that is unique in the conversation", f"id {show(name)} once more", call.n)
        else:
            yield satisfied(200)
        known.add(show(name))


def _tokens(view: CaseView, rollout: RolloutState, call: Call, body: JsonObject, past: list[int]) -> Iterator[Evidence]:
    ids, logprobs, prompt = (body.get(name) for name in ("token_ids", "logprobs", "prompt_token_ids"))
    whole = all(isinstance(v, list) for v in (ids, logprobs, prompt))
    if not whole or not all(map(_integer, [*ids, *prompt])) or not all(isinstance(v, int | float) for v in logprobs):  # type: ignore[misc,union-attr]
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
    yield _prompt(view, call, prompt, past, rollout)


def _sampled(view: CaseView, call: Call, body: JsonObject, ids: list[int], tools: Sequence[Any]) -> Evidence:
    """Whether the sampled ids are those of the message."""
    choice, messages = body["choices"][0], call.body["messages"]
    expected = completion_text(view.tokens, messages, choice["message"], tools)
    if view.tokens.ends_turn(ids) and expected.endswith(END_OF_TURN):  # whichever token it ended its turn with
        return _same_text(182, view.tokens, ids[:-1], expected.removesuffix(END_OF_TURN), "token_ids", call.n)
    if choice["finish_reason"] == "length" or call.body.get("stop"):
        return _truncated_text(view.tokens, ids, choice["message"], expected.removesuffix(END_OF_TURN), call.n)
    return _same_text(182, view.tokens, ids, expected, "token_ids", call.n)


def _prompt(view: CaseView, call: Call, prompt: list[int], past: list[int], rollout: RolloutState) -> Evidence:
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
        return _same_text(183, tokens, prompt, whole, "prompt_token_ids", n)
    if tokens.decode(prompt).endswith(tail):
        return satisfied(183)
    observed = tokens.decode(prompt[len(past) :])
    return broken(183, f"{show(tail)} behind the tokens of the turn before", show(observed), n)


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


def records(view: CaseView) -> Iterator[Evidence]:
    """The trainer's own record: what it sampled is 1, everything else 0, and each prompt begins with the last turn of its branch."""
    for rollout in view.rollouts.values():
        record = view.record(rollout)
        if view.branched and not isinstance(record.get("branches"), list):
            continue  # its turns are of several conversations, and it does not show of which
        for line in recorded(record):
            turns = line.get("turns")
            if isinstance(turns, list) and turns and all(isinstance(turn, dict) for turn in turns):
                yield from _prefix(turns, line, rollout.records[-1])
                yield from _masked(turns, line, rollout.records[-1])


def _prefix(turns: list[Any], record: JsonObject, n: int) -> Iterator[Evidence]:
    for k in range(1, len(turns)):
        before = [*listed(turns[k - 1].get("prompt_token_ids")), *listed(turns[k - 1].get("token_ids"))]
        prompt = listed(turns[k].get("prompt_token_ids"))
        if prompt[: len(before)] == before:
            yield satisfied(189)
            continue
        at = next(
            (i for i, (a, b) in enumerate(zip(before, prompt, strict=False)) if a != b), min(len(before), len(prompt))
        )
        if record.get("drift"):
            yield satisfied(189)
        else:
            expected = (
                f"the prompt of turn {k + 1} begins with the {len(before)} tokens so far, or drift says where not"
            )
            yield broken(189, expected, f"another token at {at}, and drift: {show(record.get('drift'))}", n)


def _masked(turns: list[Any], record: JsonObject, n: int) -> Iterator[Evidence]:
    ids, mask, logprobs = (record.get(name) for name in ("token_ids", "response_mask", "logprobs"))
    if record.get("drift") or not all(isinstance(value, list) for value in (ids, mask, logprobs)):
        return
    assert isinstance(ids, list)
    assert isinstance(mask, list)
    assert isinstance(logprobs, list)
    counts = [(len(listed(turn.get("prompt_token_ids"))), len(listed(turn.get("token_ids")))) for turn in turns]
    right = [0] * sum(counts[-1])
    for start, sampled in counts:
        right[start : start + sampled] = [1] * sampled
    if not len(ids) == len(mask) == len(logprobs):
        yield broken(
            188, "token_ids, response_mask and logprobs of one length", f"{len(ids)}, {len(mask)}, {len(logprobs)}", n
        )
    elif mask != right:
        at = next((k for k, (a, b) in enumerate(zip(mask, right, strict=False)) if a != b), min(len(mask), len(right)))
        yield broken(
            188,
            f"{sum(right)} ones of {len(right)}, where the turns were sampled",
            f"{mask.count(1)} ones of {len(mask)}, the first difference at {at}",
            n,
        )
    elif any(value != 0 for value, one in zip(logprobs, mask, strict=True) if not one):
        yield broken(188, "logprob 0.0 where nothing was sampled", "another value", n)
    else:
        yield satisfied(188)


def order(view: CaseView) -> Iterator[Evidence]:
    """The trainer's own moves, by the lifecycle table. What the suite does wrong on purpose is no disorder of the trainer."""
    for rollout in view.rollouts.values():
        table = TABLES[view.dialect]
        state = _initial_state(view, rollout)
        for event in view.trace.of(rollout.label):
            after = advance(table, state, event.role, event.name)
            if isinstance(after, str):
                state = after
            elif event.role == "trainer" and isinstance(after, OutOfOrder) and (after.state, event.name) in BREACHES:
                allowed = ", ".join(after.legal) or "nothing"
                yield Finding(
                    BREACHES[after.state, event.name],
                    f"in state {after.state}: {allowed}",
                    event.name,
                    (event.exchange,),
                    after.state,
                )
        names = [event.name for event in view.trace.of(rollout.label)]
        if view.dialect == "sync" and "ToolsRequested" in names and "StartSent" in names:
            yield satisfied(196)


def _initial_state(view: CaseView, rollout: RolloutState) -> str:
    """A trainer requests the tools of a server once: for one that it knows, or that it found by itself, it may have done so before."""
    if view.source == "open":
        return STARTED
    return READY if view.dialect == "sync" and (rollout.same_server_as or view.source == "started") else IDLE


def leaks(view: CaseView) -> Iterator[Evidence]:
    """No error body, and no error message of a record, exposes internals of the trainer; no response has a key."""
    keys = [rollout.hosted.key for rollout in view.rollouts.values() if rollout.hosted and rollout.hosted.key]
    for exchange in view.trace.exchanges:
        if not exchange.to_target or exchange.response is None:
            continue
        text = exchange.response.body.decode("utf-8", "replace")
        failed = exchange.response.status >= 400
        if any(len(key) >= 8 and key in text for key in keys):
            yield broken(LEAK if failed else 194, "no key in a response", "the key of a rollout", exchange.n)
            continue
        told = text if failed else _error_message(exchange)
        found = inside.leaked(told, inside.GENERAL, inside.Sent(inside.of_request(exchange.request)))
        if found:
            yield broken(LEAK, "an error in the trainer's own words", inside.excerpt(told, found), exchange.n)
        elif failed:
            yield satisfied(LEAK)


def _error_message(exchange: Exchange) -> str:
    """What a record says of its failure."""
    body = parse(exchange.response.body) if exchange.response and exchange.request.method == "GET" else None
    return str(mapping(body).get("error_message") or "")


LEAK = 300
