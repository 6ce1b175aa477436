"""History fidelity: the conversation only grows, and what the trainer said comes back as it was said."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.lenient_json import JSON, JsonObject
from rollout_conformance.steps.profiles.rollout.invariants.common import as_issued, broken, same, satisfied, show
from rollout_conformance.steps.profiles.rollout.invariants.event_order import restarted
from rollout_conformance.steps.profiles.rollout.view import CaseView, Chat, Rollout

COUNTED = ("sync", "callback")  # the dialects with a requirement of its own on the number of messages


def history(view: CaseView) -> Iterator[Evidence]:
    for rollout in view.rollouts.values():
        if rollout.chats and not restarted(rollout):
            yield from _opening(rollout)
            shortened = "047" if rollout.dialect in COUNTED else "048"
            for before, chat in rollout.turns():
                yield from _turn(before, chat, shortened)
            yield from _retries(rollout)


def _opening(rollout: Rollout) -> Iterator[Evidence]:
    opening = rollout.chats[0]
    if rollout.given.messages:
        yield same("050", rollout.given.messages, opening.messages, "messages of the first generation call", opening.n)


def _turn(before: Chat, chat: Chat, shortened: str) -> Iterator[Evidence]:
    known = len(before.messages)
    if len(chat.messages) <= known:
        expected = f"at least {known + 1} messages: the {known} of the call before and the assistant's answer"
        yield broken(shortened, expected, f"{len(chat.messages)} messages", before.n, chat.n)
        return
    yield satisfied(shortened)
    yield same("048", before.messages, chat.messages[:known], "messages of the call before", before.n, chat.n)
    if before.issued is not None and before.has_message:
        yield _answer(before.as_received(chat.messages[known]), chat.messages[known], known, before.n, chat.n)


def _answer(issued: JsonObject, seen: JSON, at: int, *exchanges: int) -> Evidence:
    if not isinstance(seen, dict) or seen.get("role") != issued.get("role"):
        return broken(
            "049",
            f"messages[{at}] is the assistant message {show(issued)}",
            f"messages[{at}]: {show(seen)}",
            *exchanges,
        )
    return same(
        "049",
        issued,
        as_issued(issued, seen),
        f"messages[{at}], the assistant message as the trainer returned it",
        *exchanges,
    )


def _retries(rollout: Rollout) -> Iterator[Evidence]:
    """A call after one that got no generation is the same call again."""
    for first, again in zip(rollout.chats, rollout.chats[1:], strict=False):
        if first.delivered or rollout.dialect == "sync":
            continue
        if first.exchange.request.body == again.exchange.request.body:
            yield satisfied("086")
        else:
            expected = f"the same {len(first.exchange.request.body)} bytes as in the call that failed"
            yield broken("086", expected, _changed(first, again), first.n, again.n)


def _changed(first: Chat, again: Chat) -> str:
    difference = same("086", first.body, again.body, "body")
    return getattr(
        difference, "observed", f"{len(again.exchange.request.body)} bytes, equal as JSON but not byte for byte"
    )
