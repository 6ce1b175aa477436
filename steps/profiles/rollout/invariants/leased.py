"""Leases and results: what only the leased dialect has."""

import math
from collections.abc import Iterator
from itertools import pairwise

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import first, show
from rollout_conformance.steps.profiles.rollout.invariants.common import broken, number, satisfied
from rollout_conformance.steps.profiles.rollout.result_client import (
    ENDED,
    RUNNING,
    TRY_AGAIN,
    protocol_members,
    wait_of,
)
from rollout_conformance.steps.profiles.rollout.view import Answer, CaseView, Rollout

STATUSES = (*RUNNING, *ENDED)
NEARLY = 0.9  # of a lease: servers count it from another moment
GRACE_S = 2.0  # how much longer than its own time a response may take on a busy machine


def leased(view: CaseView) -> Iterator[Evidence]:
    if view.dialect != "leased":
        return
    for rollout in view.rollouts.values():
        for start in rollout.starts:
            if start.status is not None and 200 <= start.status < 300:
                yield from _accepted(rollout, start)
        for poll in rollout.polls:
            yield from _polled(rollout, poll)
            yield from _in_time(rollout, poll)
        yield from _kept(rollout)
        yield from _due(view, rollout)
        yield from _sample(rollout)
    yield from _own_leases(view)


def _accepted(rollout: Rollout, start: Answer) -> Iterator[Evidence]:
    token, shown = start.fields.get("polling_lease_token"), start.fields.get("rollout_id")
    if start.status != 202 or not isinstance(token, str) or not token or shown != rollout.given.rollout_id:
        expected = f"202 with rollout_id {show(rollout.given.rollout_id)} and a polling_lease_token"
        observed = f"{start.status}: rollout_id {show(shown)}, polling_lease_token {'given' if token else show(token)}"
        yield broken("270", expected, observed, start.n)
    else:
        yield satisfied("270")
    wait, lease = (number(start.fields.get(name)) for name in ("result_wait_timeout_sec", "polling_lease_timeout_sec"))
    if wait is not None and lease is not None and 0 < wait < lease < math.inf:
        yield satisfied("272")
    else:
        members = {name: start.fields.get(name) for name in ("result_wait_timeout_sec", "polling_lease_timeout_sec")}
        yield broken("272", "two positive numbers of seconds, the lease the longer one", show(members), start.n)
    status = start.fields.get("status")
    if status in STATUSES:
        yield satisfied("288")
    elif start.status == 202:
        yield broken("288", f"a status: {', '.join(STATUSES)}", f"status {show(status)}", start.n)


def _polled(rollout: Rollout, poll: Answer) -> Iterator[Evidence]:
    """A request with the lease of the rollout is answered 200 with its status."""
    if poll.status is None or poll.status in TRY_AGAIN:
        return
    status, named = poll.fields.get("status"), poll.fields.get("rollout_id")
    if poll.status == 200 and status in STATUSES and named == rollout.given.rollout_id:
        yield satisfied("276")
        return
    expected = f"200 with rollout_id {show(rollout.given.rollout_id)} and a status: {', '.join(STATUSES)}"
    yield broken("276", expected, f"{poll.status}: rollout_id {show(named)}, status {show(status)}", poll.n)


def _in_time(rollout: Rollout, poll: Answer) -> Iterator[Evidence]:
    accepted = next((start for start in rollout.starts if start.status == 202), None)
    if accepted is None or poll.exchange.ended is None or poll.status is None:
        return
    limit, took = wait_of(accepted.fields), poll.exchange.ended - poll.exchange.began
    if took <= limit + GRACE_S:
        yield satisfied("275")
    else:
        yield broken("275", f"a response within {limit:g} s", f"one after {took:.1f} s", poll.n, timing=True)


def _kept(rollout: Rollout) -> Iterator[Evidence]:
    """Once a rollout has ended, every response is equal to the first that said so."""
    ended = next((poll for poll in rollout.polls if poll.fields.get("status") in ENDED and poll.status == 200), None)
    if ended is None or ended.exchange.ended is None:
        return
    for again in rollout.polls:
        if again.exchange.began < ended.exchange.ended or again.status != 200:
            continue
        difference = first(protocol_members(ended.body), protocol_members(again.body), "result")
        if difference is not None and not difference.only_null:
            yield broken("277", f"the same result as in call {ended.n}", str(difference), ended.n, again.n)


def _due(view: CaseView, rollout: Rollout) -> Iterator[Evidence]:
    """A rollout whose result is requested has one, unless the case stopped waiting before it was due."""
    waited = any(label == rollout.given.label for label, _ in view.wait_timeouts)
    if rollout.accepted and rollout.result is not None:
        yield satisfied("279")
    elif rollout.accepted and waited and rollout.polls:
        statuses = [poll.fields.get("status") if poll.status == 200 else poll.status for poll in rollout.polls[-3:]]
        expected, observed = "a result with status success, failure or cancelled", f"the last responses: {statuses}"
        yield broken("279", expected, observed, rollout.starts[0].n, rollout.polls[-1].n, timing=True)


def unrequested(rollout: Rollout) -> str | None:
    """Why a rollout that failed proves nothing: its lease may have expired."""
    return not_polled_in_time(rollout) if rollout.is_error() else None


def not_polled_in_time(rollout: Rollout) -> str | None:
    """Why the end of a rollout proves nothing: on a busy machine its lease may have expired between two requests for the result, or one of
    them was answered late and may have been read late."""
    accepted = next((start for start in rollout.starts if start.status == 202), None)
    lease = number(accepted.fields.get("polling_lease_timeout_sec")) if accepted is not None else None
    if accepted is None or lease is None:
        return None
    times = [accepted.exchange.began, *(poll.exchange.began for poll in rollout.polls)]
    times += [rollout.polls[-1].exchange.ended or times[-1]] if rollout.polls else []
    longest = max((later - earlier for earlier, later in pairwise(times)), default=0.0)
    if longest < 0.6 * lease or wait_of(accepted.fields) >= 0.6 * lease:
        return None
    return (
        f"the result was not requested for {longest:.1f} s, and the lease lasts {lease:g} s: this machine is too busy"
    )


def outlived_lease(rollout: Rollout) -> bool:
    """Whether a rollout failed once the time of one lease had passed, although its result was requested again and again."""
    accepted = next((start for start in rollout.starts if start.status == 202), None)
    lease = number(accepted.fields.get("polling_lease_timeout_sec")) if accepted is not None else None
    if accepted is None or lease is None or not rollout.is_error() or rollout.result is None:
        return False
    lasted = (rollout.result.exchange.ended or 0.0) - accepted.exchange.began
    return lasted >= NEARLY * lease and not_polled_in_time(rollout) is None


def _sample(rollout: Rollout) -> Iterator[Evidence]:
    result = rollout.result
    if result is None:
        return
    sample, label = result.fields.get("sample"), rollout.given.body.get("label")
    if result.fields.get("said_status") == "cancelled":
        yield from _no_sample(sample, result.n)
    if result.fields.get("said_status") == "failure":
        yield from _no_reward(sample, result.n)
    if result.fields.get("said_status") != "success":
        return
    if not isinstance(sample, dict) or not isinstance(sample.get("messages"), list):
        yield broken("278", "the sample of a rollout that succeeded", f"sample: {show(sample)}", result.n)
        return
    difference = first(label, sample.get("label"), "label")
    if difference is not None and not difference.only_null:
        yield broken("278", f"label {show(label)}, as in the start request", str(difference), result.n)
    else:
        yield satisfied("278")
    reward = sample.get("reward")
    if reward is not None:
        ok = number(reward) is not None and not sample.get("remove_sample")
        observed = f"reward {show(reward)}, remove_sample {show(sample.get('remove_sample'))}"
        yield satisfied("135") if ok else broken("135", "a finite reward, of a kept sample", observed, result.n)


def _no_sample(sample: object, n: int) -> Iterator[Evidence]:
    """Half of a conversation is nothing to train on. A sample without messages, or one that is marked to be removed, is not trained on."""
    if isinstance(sample, dict) and sample.get("messages") and sample.get("remove_sample") is not True:
        yield broken("281", "no sample beside status `cancelled`, or remove_sample: true", f"sample: {show(sample)}", n)
    else:
        yield satisfied("281")


def _no_reward(sample: object, n: int) -> Iterator[Evidence]:
    """A failure of the server is no result of the policy, and has no reward to train on."""
    reward = sample.get("reward") if isinstance(sample, dict) else None
    if reward is None or (isinstance(sample, dict) and sample.get("remove_sample") is True):
        yield satisfied("135")
    else:
        yield broken("135", "no reward beside status `failure`", f"reward: {show(reward)}", n)


def _own_leases(view: CaseView) -> Iterator[Evidence]:
    """No two rollouts have the same lease."""
    seen: dict[str, tuple[str, int]] = {}
    for label, rollout in view.rollouts.items():
        for start in rollout.starts:
            token = start.fields.get("polling_lease_token") if start.status == 202 else None
            if not isinstance(token, str) or not token:
                continue
            other, n = seen.setdefault(token, (label, start.n))
            if other != label:
                yield broken("284", "a lease of its own for each rollout", "two rollouts with one lease", n, start.n)
    if len(seen) > 1:
        yield satisfied("284")
