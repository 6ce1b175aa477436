"""The order of events: a walk through the lifecycle table. A disorder of ours is a `SuiteError`, never a finding."""

from collections.abc import Iterator
from dataclasses import replace

from rollout_conformance.contracts.lifecycle import OutOfOrder, advance
from rollout_conformance.contracts.rollout.lifecycle import BREACHES, FAULTED, IDLE, TABLES, WAITING
from rollout_conformance.steps.engine.findings import Evidence, Finding, SuiteError
from rollout_conformance.steps.engine.trace import Event
from rollout_conformance.steps.peers.trainer import HUNG_UP
from rollout_conformance.steps.profiles.rollout.invariants.common import broken, satisfied
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout

TOGETHER_S = 0.5  # what a target sends on two connections within this time can be heard in either order


def order(view: CaseView) -> Iterator[Evidence]:
    for rollout in view.rollouts.values():
        if not restarted(rollout):
            yield from _walk(rollout)


def _walk(rollout: Rollout) -> Iterator[Evidence]:
    table, state, broke = TABLES[rollout.dialect], IDLE, False
    changed: Event | None = None  # the last event of the server that changed the state
    odd, notices, timed_out = _odd_ack(rollout), _notices(rollout), _timed_out(rollout)
    for event in rollout.events:
        if event.exchange in notices or (event.name == "StartRejected" and event.exchange in timed_out):
            continue
        if state == WAITING and event.name == "GenerationRequested" and _gave_up_before(rollout, event):
            state = FAULTED
        after = advance(table, state, event.role, event.name)
        if isinstance(after, OutOfOrder):
            if event.role == "trainer":
                if broke:
                    continue  # our answer to an event that should not have been
                raise SuiteError(f"the suite's own trainer broke the order of events: {after}")
            broke = True
            yield replace(_breach(odd, after, event), timing=_is_close(changed, event))
        else:
            changed = event if event.role == "server" and after != state else changed
            state = after
    if not broke:
        yield from _kept(rollout)


def _notices(rollout: Rollout) -> set[int]:
    """The failed grades without a sample that follow a completion nobody acknowledged: they say no more than that there is no sample."""
    if not rollout.posts or any(post.acked for post in rollout.posts):
        return set()
    after = (grade for grade in rollout.grades if grade.n > rollout.posts[0].n)
    return {
        grade.n for grade in after if grade.fields.get("status") != "success" and grade.fields.get("sample") is None
    }


def _timed_out(rollout: Rollout) -> set[int]:
    """The responses to start requests that end a rollout with 408: it ran, and only its result has the wrong status (ROLLOUT-125)."""
    return {start.n for start in rollout.starts if rollout.dialect == "sync" and rollout.chats and start.status == 408}


def _gave_up_before(rollout: Rollout, event: Event) -> bool:
    """Whether the call before was hung up at this moment: the end of one connection and the beginning of the next can be
    heard in either order."""
    before = rollout.last_before(event.exchange)
    last = before.exchange if before else None
    return last is not None and last.fault == HUNG_UP and last.ended is not None and last.ended - event.at < TOGETHER_S


def _is_close(changed: Event | None, event: Event) -> bool:
    """Whether an event came on another connection so soon after the one that makes it illegal that it may have been sent before that one. A
    suite that waited for a CPU finds both at once, and reads them in no particular order."""
    if changed is None or changed.name == event.name:
        return False
    return changed.exchange != event.exchange and event.at - changed.at < TOGETHER_S


def _breach(odd_ack: int | None, breach: OutOfOrder, event: Event) -> Finding:
    requirement = BREACHES.get((breach.state, breach.event), "ROLLOUT-064")
    allowed = ", ".join(breach.legal) or "nothing, it is final"
    if requirement == "ROLLOUT-140" and odd_ack:
        return broken(
            "138", f"no further completion after the answer {odd_ack}", f"another at +{event.at:.3f} s", event.exchange
        )
    return Finding(
        requirement,
        f"in state {breach.state}: {allowed}",
        f"{breach.event} at +{event.at:.3f} s",
        (event.exchange,),
        state=breach.state,
    )


def _odd_ack(rollout: Rollout) -> int | None:
    statuses = [post.exchange.response.status for post in rollout.posts if post.acked and post.exchange.response]
    return next((status for status in statuses if status != 200), None)


def _kept(rollout: Rollout) -> Iterator[Evidence]:
    names = {event.name for event in rollout.events}
    if "StartRejected" in names:
        yield satisfied("042")
        yield satisfied("142")
    if "GenerationRequested" in names:
        yield satisfied("063")
    if names & {"ResultReturned", "CompletedSent"}:
        yield satisfied("064")
    if "CompletedAcknowledged" in names:
        yield satisfied("140")
        if _odd_ack(rollout):
            yield satisfied("138")


def restarted(rollout: Rollout) -> bool:
    """Whether there was a second run under one id: the conversation began anew after it had got somewhere.

    The sync dialect allows a run for every start (ROLLOUT-157). Where one of them met a fault, its end and the other's
    beginning look the same, so that two starts which were not refused count as two runs.
    """
    if rollout.dialect == "sync" and sum(start.status == 200 for start in rollout.starts) > 1:
        return True
    return bool(restarts(rollout))


def restarts(rollout: Rollout) -> list[int]:
    """The exchanges of generation calls that begin the conversation anew."""
    if len(rollout.starts) < 2:
        return []
    opening = rollout.chats[0].messages if rollout.chats else []
    anew, generated = [], False
    for n, chat in enumerate(rollout.chats):
        retry = n > 0 and not rollout.chats[n - 1].delivered and not _in_flight(rollout, n)
        if n > 0 and chat.messages == opening and (generated or not retry):
            anew.append(chat.n)
        generated = generated or chat.delivered
    return anew


def _in_flight(rollout: Rollout, n: int) -> bool:
    """Whether the call before the n-th was still open when the n-th came."""
    before, chat = rollout.chats[n - 1].exchange, rollout.chats[n].exchange
    return before.ended is None or before.ended > chat.began
