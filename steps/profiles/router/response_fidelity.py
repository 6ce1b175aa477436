"""What the engines said, held against what arrived: every member, every event, in order. Pure.

A router may add members of its own, and name an answer by an id of its own. What the engine said of the choices, of their tokens and
of what they cost is the engine's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice, zip_longest
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import ABSENT, Difference, show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.peers.scripted_backends import Plan
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.json_changes import changes, harmless

OWN = ("id", "created", "model", "object")  # what a router may name otherwise; that its cases judge one by one
INVENTED = ("system_fingerprint",)  # nobody but the engine knows these
MOST_COUNTED = 50  # losses of a reading: it is compared with others by their number
JSON, EVENTS = "application/json", "text/event-stream"


def came_back(view: CaseView) -> Iterator[Evidence]:
    """Every good answer is one that an engine gave."""
    plan: Plan | None = view.extra.get("plan")
    for reply in view.judged:
        if (
            plan is None
            or not reply.is_completion
            or not reply.request
            or any(line.loss or line.cut for line in plan.lines)
        ):
            continue  # what another engine goes on with is for the cases about that
        told = [one for one in plan.told if isinstance(one, list) == reply.streamed]
        if told:
            yield from (_stream if reply.streamed else _answer)(reply, told)
            yield from _kind(view, reply)


def _answer(reply: ChatResponse, told: list[Any]) -> Iterator[Evidence]:
    yield _verdict("ROUTER-002", reply, _nearest(_lost(one, reply.fields) for one in told))


def _stream(reply: ChatResponse, told: list[Any]) -> Iterator[Evidence]:
    got = _without_usage(reply.data)
    yield _verdict("ROUTER-015", reply, _nearest(_lost_events(_without_usage(one), got) for one in told))
    names = {show(one["id"]) for one in map(mapping, reply.data) if "id" in one}
    if len(names) > 1:
        yield Finding("ROUTER-015", "one id in all events of a stream", ", ".join(sorted(names)[:3]), (reply.n,))


def _nearest(readings: Iterable[Iterator[Difference]]) -> list[Difference]:
    """What was lost by the reading that fits best. One that fits ends the search, and of one that does not some losses are enough."""
    best: list[Difference] | None = None
    for losses in readings:
        counted = list(islice(losses, MOST_COUNTED))
        best = counted if best is None or _weight(counted) < _weight(best) else best
        if not best:
            break
    return best or []


def _weight(lost: list[Difference]) -> tuple[int, int]:
    return sum(not one.only_null for one in lost), len(lost)


def _verdict(requirement: str, reply: ChatResponse, lost: list[Difference]) -> Evidence:
    """The first change that is more than null for absent; what harms no training is a SHOULD at most."""
    worst = min(lost, key=lambda one: (one.only_null, harmless(one)), default=None)
    if worst is None:
        return Satisfied(requirement)
    expected = f"{worst.path}: {show(worst.expected)}, as the engine said it"
    cap = "should" if harmless(worst) else None
    return Finding(requirement, expected, show(worst.observed), (reply.n,), strict_only=worst.only_null, cap=cap)


def _lost(told: Mapping[str, Any], got: Mapping[str, Any]) -> Iterator[Difference]:
    """Members that are not what they were, each with where it is, what the engine said and what arrived."""
    yield from changes({name: value for name, value in told.items() if name not in OWN}, got)
    for name in INVENTED:
        if name not in told and got.get(name) is not None:
            yield Difference(name, ABSENT, got[name], False)


def _lost_events(told: list[Any], got: list[Any]) -> Iterator[Difference]:
    """Events that are not what they were. Usage is for cases of its own: a router may ask for it to count, and keep it to itself."""
    for n, (one, other) in enumerate(zip_longest(told, got, fillvalue=ABSENT)):
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _event(one, other, n)
        elif one != other:
            yield Difference(f"event {n}", one, other, False)


def _without_usage(events: list[Any]) -> list[Any]:
    kept = [one for one in events if mapping(one).get("choices") != []]
    return [{k: v for k, v in one.items() if k != "usage"} if isinstance(one, Mapping) else one for one in kept]


def _event(told: Mapping[str, Any], got: Mapping[str, Any], n: int) -> Iterator[Difference]:
    for lost in _lost(told, got):
        yield replace(lost, path=f"event {n}, {lost.path}")


def _kind(view: CaseView, reply: ChatResponse) -> Iterator[Evidence]:
    response = view.trace.exchanges[reply.n].response
    kind = (response.header("content-type") or "none" if response else "none").partition(";")[0].strip().lower()
    wanted, requirement = (EVENTS, "ROUTER-015") if reply.streamed else (JSON, "ROUTER-002")
    if kind != wanted:
        yield Finding(requirement, f"content-type: {wanted}", f"content-type: {kind}", (reply.n,))
