"""How a rollout ends: status, finish reason, the transcript, and what an error may say."""

from collections.abc import Iterator

from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.lenient_json import JSON, JsonObject
from rollout_conformance.steps.profiles.rollout.invariants.common import (
    as_issued,
    broken,
    first,
    number,
    same,
    satisfied,
    show,
)
from rollout_conformance.steps.profiles.rollout.invariants.event_order import restarted
from rollout_conformance.steps.profiles.rollout.invariants.limits import (
    NATURAL_ENDS,
    all_tokens,
    sampled,
    token_limit,
    turn_limit,
)
from rollout_conformance.steps.profiles.rollout.start_request import STREAMED
from rollout_conformance.steps.profiles.rollout.view import COMPLETE, Answer, CaseView, Chat, Post, Rollout

LARGE = 2**20  # bytes of a generation response that a server should accept all the same (ROLLOUT-242)


def ending(view: CaseView) -> Iterator[Evidence]:
    for rollout in view.rollouts.values():
        yield from _limits(rollout)
        if rollout.result is not None:
            yield from _shape(rollout, rollout.result)
            if not restarted(rollout):
                yield from _reason(rollout, rollout.result)
            if rollout.is_completed() and not restarted(rollout) and rollout.shown:
                yield from _transcript(rollout, rollout.result)
        yield from _transport(rollout)


def errors(view: CaseView) -> Iterator[Evidence]:
    """Nothing that the server says of a failure shows its inside. What the suite itself sent to it may come back."""
    for rollout in view.rollouts.values():
        sent = internal_error_patterns.Sent(_sent(rollout))
        for text, n in _error_texts(rollout):
            found = internal_error_patterns.leaked(text, internal_error_patterns.STRICT, sent)
            if found:
                yield broken(
                    "123", "an error in the server's own words", internal_error_patterns.excerpt(text, found), n
                )
            else:
                yield satisfied("123")


def _sent(rollout: Rollout) -> Iterator[bytes]:
    """Everything that a rollout's server was sent: its starts, and the answers to its generation calls."""
    for start in rollout.starts:
        yield from internal_error_patterns.of_request(start.exchange.request)
    yield from (chat.exchange.response.body for chat in rollout.chats if chat.exchange.response is not None)


def _error_texts(rollout: Rollout) -> Iterator[tuple[str, int]]:
    for answer in rollout.starts:
        if answer.status is not None and answer.status >= 400 and answer.exchange.response is not None:
            yield answer.exchange.response.body.decode("utf-8", "replace"), answer.n
    for result in rollout.results:
        message = result.fields.get("error_message")
        if isinstance(message, str):
            yield message, result.n


def _limits(rollout: Rollout) -> Iterator[Evidence]:
    if not rollout.chats or restarted(rollout):
        return
    turns = turn_limit(rollout)
    # A call after one without a generation is a retry of the same turn.
    asked = len(rollout.generated) + (0 if rollout.chats[-1].delivered else 1)
    if asked > turns:
        yield broken("065", f"at most max_turns = {turns} generations", f"{asked} were asked for", rollout.chats[-1].n)
    else:
        yield satisfied("065")
    yield from _budget(rollout)
    yield from _asks_on(rollout)


def _budget(rollout: Rollout) -> Iterator[Evidence]:
    budget = token_limit(rollout)
    until = dict(zip((turn.n for turn in rollout.generated), sampled(rollout.generated), strict=True))
    for before, chat in rollout.turns():
        if (spent := until[before.n]) >= budget:
            expected = f"no further call once max_tokens_total = {budget} is reached"
            yield broken("114", expected, f"a call after {spent} sampled tokens", before.n, chat.n)
            return


def _asks_on(rollout: Rollout) -> Iterator[Evidence]:
    for before, chat in rollout.turns():
        if before.issued is None or before.issued.tampered or before.issued.finish_reason not in COMPLETE:
            continue  # a generation that was broken off may be continued
        if not before.issued.calls:
            reason = show(before.issued.finish_reason)
            added = chat.messages[len(before.messages) + 1 :]
            observed = f"another generation call{f', with {show(added)} added' if added else ''}"
            expected = f"the end: the assistant asked for no tools (finish_reason {reason})"
            yield broken("112", expected, observed, before.n, chat.n)
            return


def _reason(rollout: Rollout, result: Answer | Post) -> Iterator[Evidence]:
    """The finish reason that the conversation leaves no choice about."""
    last = rollout.generated[-1] if rollout.generated else None
    if last is None or last.issued is None or last.issued.tampered or rollout.chats[-1] is not last:
        return
    if has_no_time_to_grade(rollout):
        return  # where one result tells of the agent and of the grader, it may fail by the second
    status, reason = result.fields.get("status"), result.fields.get("finish_reason")
    observed = f"status {show(status)}, finish_reason {show(reason)}"
    for requirement, reasons in _due(rollout, last):
        expected = f"COMPLETED with finish_reason {' or '.join(reasons)}"
        unsaid = rollout.dialect in STREAMED and reason is None  # no member of the dialect says it
        if status == "COMPLETED" and (reason in reasons or unsaid):
            yield satisfied(requirement)
        elif status == "ERROR" and (size := _size(last)) > LARGE:
            yield broken("242", f"a generation response of {size} bytes is accepted", observed, last.n, result.n)
        elif status == "ERROR" and _was_retried(rollout, last):
            yield broken("087" if rollout.dialect != "sync" else requirement, expected, observed, last.n, result.n)
        else:
            yield broken(requirement, expected, observed, last.n, result.n)
        return


def has_no_time_to_grade(rollout: Rollout) -> bool:
    """Whether the start request gives a grader no time, in a dialect without a callback for the agent alone."""
    seconds = rollout.given.body.get("grader_timeout_sec")
    return rollout.dialect == "leased" and isinstance(seconds, int | float) and seconds <= 0


def _size(chat: Chat) -> int:
    return len(chat.exchange.response.body) if chat.exchange.response is not None else 0


def _was_retried(rollout: Rollout, last: Chat) -> bool:
    """Whether the call before `last` was one that failed: the same turn, asked once more."""
    before = rollout.last_before(last.n)
    return before is not None and not before.delivered


def _due(rollout: Rollout, last: Chat) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(requirement, finish reasons that keep it) for an end after `last`, the most binding first."""
    assert last.issued is not None
    spent = max(sampled(rollout.generated)) >= token_limit(rollout)
    used_up = len(rollout.generated) >= turn_limit(rollout)
    if last.issued.finish_reason not in NATURAL_ENDS:
        return
    if not last.issued.calls:
        yield "112", ("stop", "max_tokens") if spent else ("stop",)
    elif spent:
        yield "114", ("max_tokens", "max_turns") if used_up else ("max_tokens",)
    elif used_up:
        yield "113", ("max_turns",)
    elif all_tokens(last) >= token_limit(rollout):
        yield "114", ("max_tokens",)  # counting the prompt as well: the other reading of the limit
    elif rollout.is_completed():
        parallel = any(turn.issued is not None and len(turn.issued.calls) > 1 for turn in rollout.generated)
        early = {"max_tokens": "114", "max_turns": "243" if parallel else "113"}
        reason = rollout.result.fields.get("finish_reason") if rollout.result else None
        yield early.get(str(reason), "113"), ("(none yet)",)


def _transcript(rollout: Rollout, result: Answer | Post) -> Iterator[Evidence]:
    final = result.fields.get("final_messages")
    last = rollout.generated[-1] if rollout.generated else None
    if last is None or last.issued is None or last is not rollout.chats[-1] or not last.has_message:
        return
    if not isinstance(final, list):
        yield broken("117", "final_messages: the whole conversation", f"final_messages: {show(final)}", result.n)
        return
    known = len(last.messages)
    opening = len(rollout.given.messages)
    if rollout.given.messages and rollout.chats[0].messages[:opening] == rollout.given.messages:
        yield same("118", rollout.given.messages, final[:opening], "final_messages", result.n)
    yield same(
        "117",
        _requested(rollout, last, final)[opening:],
        final[opening:known],
        f"final_messages[{opening}:{known}], the messages of the last generation request",
        last.n,
        result.n,
    )
    role = final[known].get("role") if len(final) > known and isinstance(final[known], dict) else None
    if last.issued.tampered and role not in (None, "assistant", "tool"):
        return  # the reply itself had that role (ROLLOUT-077)
    if role != "assistant":
        observed = f"final_messages has {len(final)} messages, the last one {show(final[-1] if final else None)}"
        moved = any(first(last.as_received(one), as_issued(last.as_received(one), one)) is None for one in final)
        expected = f"final_messages[{known}] is the last assistant message"
        yield broken("117" if moved else "115", expected, observed, last.n, result.n)
        return
    yield satisfied("115")
    yield same(
        "117",
        last.as_received(final[known]),
        as_issued(last.as_received(final[known]), final[known]),
        f"final_messages[{known}], the last assistant message",
        result.n,
    )
    yield from _tail(rollout, last, final[known + 1 :], result)


def _requested(rollout: Rollout, last: Chat, final: list[JSON]) -> list[JSON]:
    """The messages of the last generation request. One that the server changed there (ROLLOUT-049) may be in the final messages as the
    trainer returned it: that is no second breach."""
    messages = list(last.messages)
    for chat in rollout.generated:
        n = len(chat.messages)
        if n < min(len(messages), len(final)):
            returned = chat.as_received(final[n])
            if first(returned, as_issued(returned, final[n])) is None:
                messages[n] = final[n]
    return messages


def _tail(rollout: Rollout, last: Chat, tail: list[JSON], result: Answer | Post) -> Iterator[Evidence]:
    calls = last.issued.calls if last.issued else []
    roles = [message.get("role") if isinstance(message, dict) else None for message in tail]
    if roles not in ([], ["tool"] * len(calls)):
        yield broken(
            "117", f"after the last answer {len(calls)} tool message(s) or nothing", f"roles {show(roles)}", result.n
        )
        return
    if calls:
        reason = result.fields.get("finish_reason")
        requirement = "113" if reason == "max_turns" else "116"
        if tail:
            yield satisfied(requirement)
        elif reason == "max_turns":
            yield broken(
                "113", "the results of the last tools at the end", "final_messages ends with the calls", result.n
            )
        elif reason not in ("max_tokens", "length"):  # tools of a turn over the budget should not run
            yield broken("116", "no unanswered calls at the end", "final_messages ends with tool calls", result.n)
    else:
        yield satisfied("116")


def _shape(rollout: Rollout, result: Answer | Post) -> Iterator[Evidence]:
    fields = result.fields
    if rollout.given.rollout_id:
        yield same(
            "126", rollout.given.rollout_id, fields.get("rollout_id"), "rollout_id of the final result", result.n
        )
    message = fields.get("error_message")
    if rollout.is_completed():
        ok = message is None
        yield satisfied("120") if ok else broken("120", "no error_message", f"error_message: {show(message)}", result.n)
    elif rollout.is_error():
        yield from _error(fields, message, result.n)
    else:
        observed = f"status: {show(fields.get('status'))}" if isinstance(result.body, dict) else show(result.body)
        yield broken("119", "status COMPLETED or ERROR", observed, result.n)
    if fields.get("reward") is None:
        yield satisfied("134")
    else:
        finite = number(fields["reward"]) is not None
        yield (
            satisfied("134")
            if finite
            else broken("134", "a finite number", f"reward: {show(fields['reward'])}", result.n)
        )


def _error(fields: JsonObject, message: JSON, n: int) -> Iterator[Evidence]:
    if isinstance(message, str) and message.strip():
        yield satisfied("119")
    else:
        yield broken("119", "an error_message that says what went wrong", f"error_message: {show(message)}", n)
    reason = fields.get("finish_reason")
    yield (
        satisfied("121")
        if reason == "error"
        else broken("121", "finish_reason: error", f"finish_reason: {show(reason)}", n)
    )
    final = fields.get("final_messages")
    if isinstance(final, list):
        yield satisfied("122")
    else:
        yield broken("122", "final_messages: a list, empty or not", f"final_messages: {show(final)}", n)
    yield from _category(fields, n)


def _category(fields: JsonObject, n: int) -> Iterator[Evidence]:
    said, extra = fields.get("said_status"), fields.get("extra_fields")  # `said_status`: routed and leased only
    category = extra.get("error_category") if isinstance(extra, dict) else None
    if isinstance(category, str) and category:
        yield satisfied("124")
    elif said is None:
        yield broken("124", "extra_fields.error_category", f"extra_fields: {show(extra)}", n)
    elif said != "cancelled":  # that status is the category
        yield broken("124", "err_category", f"status {show(said)}, err_category: {show(category)}", n)


def _transport(rollout: Rollout) -> Iterator[Evidence]:
    """A sync rollout that got as far as a generation call is answered 200, come what may."""
    if rollout.dialect != "sync" or not rollout.chats:
        return
    if rollout.is_error():
        yield satisfied("125")
    if rollout.result is not None:
        return
    for start in rollout.starts:
        if start.status is not None and start.status != 429:
            yield broken("125", "HTTP 200 with status ERROR", f"HTTP {start.status}", start.n)
