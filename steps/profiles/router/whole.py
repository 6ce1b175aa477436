"""What the engines said, held against what arrived: every member, every event, in order. Pure.

A router may add members of its own, and name an answer by an id of its own. What the engine said of the choices, of their tokens and
of what they cost is the engine's.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, zip_longest
from typing import Any

from steps.engine.compare import ABSENT, show
from steps.engine.compare import first as difference
from steps.engine.findings import Evidence, Finding, Held
from steps.engine.reading import mapping
from steps.peers.backends import Plan
from steps.profiles.chat.replies import Reply, Talk

OWN = ("id", "created", "model", "object")  # what a router may name otherwise; that its cases judge one by one
INVENTED = ("system_fingerprint",)  # nobody but the engine knows these
MOST_COUNTED = 50  # losses of a reading: it is compared with others by their number
Loss = tuple[str, str, str]
JSON, EVENTS = "application/json", "text/event-stream"


def came_back(talk: Talk) -> Iterator[Evidence]:
    """Every good answer is one that an engine gave."""
    plan: Plan | None = talk.extra.get("plan")
    for reply in talk.replies.values():
        if plan is None or not reply.good or not reply.request or any(line.loss or line.cut for line in plan.lines):
            continue  # what another engine goes on with is for the cases about that
        told = [one for one in plan.told if isinstance(one, list) == reply.streamed]
        if told:
            yield from (_stream if reply.streamed else _answer)(reply, told)
            yield from _kind(talk, reply)


def _answer(reply: Reply, told: list[Any]) -> Iterator[Evidence]:
    yield _verdict("ROUTER-002", reply, _fewest(_lost(one, reply.fields) for one in told))


def _stream(reply: Reply, told: list[Any]) -> Iterator[Evidence]:
    got = _without_usage(reply.data)
    yield _verdict("ROUTER-015", reply, _fewest(_lost_events(_without_usage(one), got) for one in told))
    names = {show(one["id"]) for one in map(mapping, reply.data) if "id" in one}
    if len(names) > 1:
        yield Finding("ROUTER-015", "one id in all events of a stream", ", ".join(sorted(names)[:3]), (reply.n,))


def _fewest(readings: Iterable[Iterator[Loss]]) -> list[Loss]:
    """What was lost by the reading that fits best. One that fits ends the search, and of one that does not some losses are enough."""
    best: list[Loss] | None = None
    for losses in readings:
        counted = list(islice(losses, MOST_COUNTED if best is None else len(best)))
        best = counted if best is None or len(counted) < len(best) else best
        if not best:
            break
    return best or []


def _verdict(requirement: str, reply: Reply, lost: list[Loss]) -> Evidence:
    if not lost:
        return Held(requirement)
    where, said, saw = lost[0]
    return Finding(requirement, f"{where}: {said}, as the engine said it", saw, (reply.n,))


def _lost(told: Mapping[str, Any], got: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, str, str]]:
    """Members that are not what they were, each with where it is, what the engine said and what arrived."""
    for name, value in told.items():
        if name not in OWN or at:
            yield from _changed(value, got.get(name, ABSENT), f"{at}{name}")
    for name in INVENTED:
        if name not in told and got.get(name) is not None and not at:
            yield name, "absent", show(got[name])


def _changed(told: Any, got: Any, at: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(told, Mapping) and isinstance(got, Mapping):
        yield from _lost(told, got, f"{at}.")
    elif isinstance(told, list) and isinstance(got, list) and len(told) == len(got):
        for n, (one, other) in enumerate(zip(told, got, strict=True)):
            yield from _changed(one, other, f"{at}[{n}]")
    elif difference(told, got) is not None:
        yield at, show(told), show(got)


def _lost_events(told: list[Any], got: list[Any]) -> Iterator[tuple[str, str, str]]:
    """Events that are not what they were. Usage is for cases of its own: a router may ask for it to count, and keep it to itself."""
    for n, (one, other) in enumerate(zip_longest(told, got, fillvalue=ABSENT)):
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _event(one, other, n)
        elif one != other:
            yield f"event {n}", show(one), show(other)


def _without_usage(events: list[Any]) -> list[Any]:
    kept = [one for one in events if mapping(one).get("choices") != []]
    return [{k: v for k, v in one.items() if k != "usage"} if isinstance(one, Mapping) else one for one in kept]


def _event(told: Mapping[str, Any], got: Mapping[str, Any], n: int) -> Iterator[tuple[str, str, str]]:
    for where, said, saw in _lost(told, got):
        yield f"event {n}, {where}", said, saw


def _kind(talk: Talk, reply: Reply) -> Iterator[Evidence]:
    response = talk.trace.exchanges[reply.n].response
    kind = (response.header("content-type") or "none" if response else "none").partition(";")[0].strip().lower()
    wanted, requirement = (EVENTS, "ROUTER-015") if reply.streamed else (JSON, "ROUTER-002")
    if kind != wanted:
        yield Finding(requirement, f"content-type: {wanted}", f"content-type: {kind}", (reply.n,))
