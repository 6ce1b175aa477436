"""Delivery and repetition: one final result a rollout, one run an id (callback dialect)."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import Difference
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.profiles.rollout.invariants.common import broken, first, satisfied, show
from rollout_conformance.steps.profiles.rollout.invariants.event_order import restarts
from rollout_conformance.steps.profiles.rollout.view import Answer, CaseView, Post, Rollout


def completion(view: CaseView) -> Iterator[Evidence]:
    if view.dialect in ("sync", "leased"):
        return
    for rollout in view.rollouts.values():
        yield from _one_result(rollout)
        if view.dialect == "routed":
            continue
        yield from _owed(view, rollout)
        yield from _accepted(rollout)


def _one_result(rollout: Rollout) -> Iterator[Evidence]:
    if not rollout.posts or restarts(rollout):
        return
    original = rollout.posts[0]
    for again in rollout.posts[1:]:
        difference = changed(original, again)
        if difference is not None:
            yield broken("137", f"the same result as in call {original.n}", str(difference), original.n, again.n)
            return
    yield satisfied("137")


def changed(post: Post, again: Post) -> Difference | None:
    """Where a repeated report is another one. What is the same byte for byte need not be read for that."""
    same = post.exchange.request.body == again.exchange.request.body
    return None if same else first(post.body, again.body)


def _owed(view: CaseView, rollout: Rollout) -> Iterator[Evidence]:
    """An accepted rollout reports its end, unless the case stopped waiting before it was due."""
    if set("?#") & set(rollout.given.base_url):
        return  # ROLLOUT-026: what such an address means is not agreed
    waited = any(label == rollout.given.label for label, _ in view.wait_timeouts)
    if rollout.accepted and not rollout.posts and waited:
        expected = "POST /v1/rollout/completed for every accepted rollout"
        yield broken("136", expected, f"none within {view.trace.now():.1f} s", rollout.starts[0].n, timing=True)


def _accepted(rollout: Rollout) -> Iterator[Evidence]:
    for start in rollout.starts:
        if start.status is None or start.status >= 300:
            continue
        if start.status != 202:
            yield broken("007", "202", f"{start.status}", start.n)
        else:
            yield satisfied("007")
        if not rollout.given.rollout_id:
            continue
        asked = _asked_id(start) or rollout.given.rollout_id
        seen = start.fields.get("rollout_id")
        if seen == asked:
            yield satisfied("008")
        else:
            yield broken("008", f"rollout_id {show(asked)}", f"rollout_id {show(seen)}", start.n)


def _asked_id(start: Answer) -> str | None:
    body = parse(start.exchange.request.body)
    return body.get("rollout_id") if isinstance(body, dict) else None


def repetition(view: CaseView) -> Iterator[Evidence]:
    """A repeated start does not run again. In the dialects whose starts wait for the result it may."""
    if view.dialect in ("sync", "leased"):
        return
    for rollout in view.rollouts.values():
        if len(rollout.starts) < 2 or not rollout.chats:
            continue
        same = [
            start for start in rollout.starts if _asked_id(start) == rollout.given.rollout_id and start.status != 429
        ]
        if len(same) < 2:
            continue
        anew = restarts(rollout)
        requirement = _kind(rollout, same)
        if anew:
            observed = f"the conversation began again {len(anew)} more time(s) after {len(same)} starts"
            yield broken(
                requirement, "one run for one rollout_id", observed, *(start.n for start in same[:2]), *anew[:2]
            )
        else:
            yield satisfied(requirement)
        yield from _same_tools(same)


def _kind(rollout: Rollout, starts: list[Answer]) -> str:
    one, two = starts[0].exchange, starts[1].exchange
    bodies = {start.exchange.request.body for start in starts}
    if len(bodies) > 1 and any(b"idempotency_key" in body for body in bodies):
        return "154"
    if all(b'"idempotency_key"' in body for body in bodies):
        return "152"
    done = [event.at for event in rollout.events if event.name == "CompletedAcknowledged"]
    if done and two.began > done[0]:
        return "151"
    return "149" if one.ended is None or two.began < one.ended else "148"


def _same_tools(starts: list[Answer]) -> Iterator[Evidence]:
    replies = [start for start in starts if start.status is not None and start.status < 300]
    if len(replies) < 2:
        return
    for reply in replies[1:]:
        difference = first(replies[0].fields.get("tools"), reply.fields.get("tools"), "tools")
        if difference is not None and not difference.only_null:
            yield broken("150", "the same tools as in the first reply", str(difference), replies[0].n, reply.n)
            return
    yield satisfied("150")
