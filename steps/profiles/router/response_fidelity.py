"""Compares what the backends returned with what the client received: every member, every event, in order. Pure.

A router may add members of its own, and give a response an id of its own. The choices, their tokens and the usage are the backend's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice, zip_longest
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, Finding
from rollout_conformance.steps.engine.json_diff import ABSENT, Difference, show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.peers.scripted_backends import BackendScript
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.forwarding import gravest_change
from rollout_conformance.steps.profiles.router.json_changes import changes

OWN = ("id", "created", "model", "object")  # what a router may set; cases about them judge them one by one
INVENTED = ("system_fingerprint",)  # only a backend knows these
MOST_COUNTED = 50  # changes that are counted to find the backend's response that fits best
JSON, EVENTS = "application/json", "text/event-stream"


def response_unmodified(view: CaseView) -> Iterator[Evidence]:
    """Every success is a response that a backend returned."""
    script: BackendScript | None = view.extra.get("script")
    for response in view.responses:
        if script is None or not response.is_completion or not response.request:
            continue
        if any(line.fault or line.interrupted_after for line in script.responses):
            continue  # the cases about resumed streams judge what another backend generates
        delivered = [one for one in script.delivered if isinstance(one, list) == response.streamed]
        if delivered:
            yield from (_stream if response.streamed else _whole)(response, delivered)
            yield from _content_type(response)


def _whole(response: ChatResponse, delivered: list[Any]) -> Iterator[Evidence]:
    lost = _nearest(_lost(one, response.fields) for one in delivered)
    yield gravest_change(lost).evidence("ROUTER-002", response)


def _stream(response: ChatResponse, delivered: list[Any]) -> Iterator[Evidence]:
    received = _without_usage(response.data)
    lost = _nearest(_lost_events(_without_usage(one), received) for one in delivered)
    yield gravest_change(lost).evidence("ROUTER-015", response)
    ids = {show(one["id"]) for one in map(mapping, response.data) if "id" in one}
    if len(ids) > 1:
        yield Finding("ROUTER-015", "the same id in all events of a stream", ", ".join(sorted(ids)[:3]), (response.n,))


def _nearest(readings: Iterable[Iterator[Difference]]) -> list[Difference]:
    """The changes to the backend's response that fits best. One without changes ends the search, and of the others some are enough."""
    best: list[Difference] | None = None
    for losses in readings:
        counted = list(islice(losses, MOST_COUNTED))
        best = counted if best is None or _weight(counted) < _weight(best) else best
        if not best:
            break
    return best or []


def _weight(lost: list[Difference]) -> tuple[int, int]:
    return sum(not one.only_null for one in lost), len(lost)


def _lost(sent: Mapping[str, Any], received: Mapping[str, Any]) -> Iterator[Difference]:
    """Members whose value has changed, each with its path, what the backend sent and what arrived."""
    yield from changes({name: value for name, value in sent.items() if name not in OWN}, received)
    for name in INVENTED:
        if name not in sent and received.get(name) is not None:
            yield Difference(name, ABSENT, received[name], False)


def _lost_events(sent: list[Any], received: list[Any]) -> Iterator[Difference]:
    """Events that have changed. Usage has cases of its own: a router may request it in order to count, and not forward it."""
    for n, (one, other) in enumerate(zip_longest(sent, received, fillvalue=ABSENT)):
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from (replace(lost, path=f"event {n}, {lost.path}") for lost in _lost(one, other))
        elif one != other:
            yield Difference(f"event {n}", one, other, False)


def _without_usage(events: list[Any]) -> list[Any]:
    kept = [one for one in events if mapping(one).get("choices") != []]
    return [{k: v for k, v in one.items() if k != "usage"} if isinstance(one, Mapping) else one for one in kept]


def _content_type(response: ChatResponse) -> Iterator[Evidence]:
    found = (response.header("content-type") or "none").partition(";")[0].strip().lower()
    expected, requirement = (EVENTS, "ROUTER-015") if response.streamed else (JSON, "ROUTER-002")
    if found != expected:
        yield Finding(requirement, f"content-type: {expected}", f"content-type: {found}", (response.n,))
