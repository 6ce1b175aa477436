"""Compares what the backends returned with what the client received: every member, every event, in order. Pure.

A router may add members of its own, and give a response an id of its own. The choices, their tokens and the usage are the backend's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from typing import TypeVar

from rollout_conformance.steps.engine.findings import Evidence, Finding
from rollout_conformance.steps.engine.json_diff import ABSENT, Difference, show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.http.checks import Check
from rollout_conformance.steps.peers.scripted_backends import BackendScript
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.excerpts import chunks_around
from rollout_conformance.steps.profiles.router.forwarding import gravest_change
from rollout_conformance.steps.profiles.router.json_changes import changes
from rollout_conformance.steps.profiles.router.stream_content import REASONING, same_content
from rollout_conformance.steps.sse.streams import DONE

Events = Sequence[object]
D = TypeVar("D")

OWN = ("id", "created", "model", "object")  # what a router may set; cases about them judge them one by one
INVENTED = ("system_fingerprint",)  # only a backend knows these
MOST_COUNTED = 50  # changes that are counted to find the backend's response that fits best
JSON, EVENTS = "application/json", "text/event-stream"


def response_unmodified(view: CaseView) -> Iterator[Evidence]:
    """Every success is a response that a backend returned."""
    script: BackendScript | None = view.extra.get("script")
    for at, response in enumerate(view.responses):
        if script is None or not response.is_completion or not response.request:
            continue
        if any(line.is_incomplete for line in script.responses):
            continue  # the cases about resumed streams judge what another backend generates
        if _is_failure(view, response):
            continue  # the cases about failures judge its status
        delivered = [one for one in script.delivered if isinstance(one, list) == response.streamed]
        delivered = delivered[at:] + delivered[:at]  # most often it is the one of the same place: the search ends there
        if delivered:
            requirement = "ROUTER-066" if any(line.framing for line in script.responses) else "ROUTER-015"
            yield from _stream(response, delivered, requirement) if response.streamed else _whole(response, delivered)
            yield from _content_type(response)


def _is_failure(view: CaseView, response: ChatResponse) -> bool:
    """Whether a success has nothing of a completion, and each backend that the request reached had failed: no member was lost."""
    began, ended = view.trace.exchanges[response.n].began, view.trace.exchanges[response.n].ended
    behind = [one for one in view.trace.behind if began <= one.began and (ended is None or one.began <= ended)]
    failed = (one.fault is not None or one.response is None or one.response.status >= 400 for one in behind)
    return bool(behind) and not response.choices and all(failed)


def _whole(response: ChatResponse, delivered: list[Mapping[str, object]]) -> Iterator[Evidence]:
    _, lost = _nearest([(one, _lost(one, response.fields)) for one in delivered])
    check = gravest_change(lost)
    if lost and all(_is_renamed(one, response) for one in lost):
        check = replace(check, observed=f"{check.observed}, but by its other name", cap="should")
    yield check.evidence("ROUTER-002", response)


def _is_renamed(lost: Difference, response: ChatResponse) -> bool:
    """Whether the reasoning of a message has arrived by the other of its two names."""
    *_, name = lost.path.split(".")
    if name not in REASONING or lost.observed is not ABSENT:
        return False
    return any(choice.message.get(REASONING[name]) == lost.expected for choice in response.choices)


def _stream(response: ChatResponse, delivered: list[Events], requirement: str) -> Iterator[Evidence]:
    received = _with_choices(response.data)
    sent, lost = _nearest([(one, _lost_events(_with_choices(one), received)) for one in delivered])
    check = _shown_in(gravest_change(lost), lost, _with_choices(sent), received)
    if not check.ok and DONE in received and _readable(received) and same_content(_with_choices(sent), received):
        check = replace(check, cap="should")  # chunks that were joined or divided: nothing that was sampled is lost
    unread = f"; {response.fault}" if response.fault else ""
    yield replace(check, observed=f"{check.observed}{unread}").evidence(requirement, response)
    yield from _other_chunks(response, sent)
    yield from _usage(response, sent)
    ids = {show(one["id"]) for one in map(mapping, response.data) if "id" in one}
    if len(ids) > 1:
        yield Finding("ROUTER-015", "the same id in all events of a stream", ", ".join(sorted(ids)[:3]), (response.n,))


def _readable(received: Events) -> bool:
    """Whether each event is a chunk or the end: clients parse all others, and fail."""
    return all(one == DONE or isinstance(one, Mapping) for one in received)


def _shown_in(check: Check, lost: list[Difference], sent: Events, received: Events) -> Check:
    """The check, with the chunks around the one that has changed."""
    at = next((n for n, one in enumerate(lost) if one.path == check.expected.partition(": ")[0]), None)
    if check.ok or at is None:
        return check
    number = int(lost[at].path.partition(",")[0].removeprefix("event "))
    around = [f"the {side} {chunks_around(events, number)}" for side, events in _sides(sent, received)]
    return replace(check, expected=f"{check.expected}; {around[0]}", observed=f"{check.observed}; {around[1]}")


def _sides(sent: Events, received: Events) -> tuple[tuple[str, Events], ...]:
    return ("backend sent", sent), ("client received", received)


def _usage(response: ChatResponse, sent: Events) -> Iterator[Evidence]:
    """The usage that the client requested is that of the backend, with every member."""
    if mapping(response.request.get("stream_options")).get("include_usage") is not True:
        return
    counted, received = _last_usage(sent), _last_usage(response.data)
    if counted is not None and received is not None:
        lost = list(changes(counted, received, "usage"))
        yield gravest_change(lost).evidence("ROUTER-002", response)
    elif counted is not None and DONE in response.data:
        expected = f"the usage that the backend sent: {show(counted)}"
        yield Finding("ROUTER-015", expected, "a whole stream without usage", (response.n,))


def _last_usage(events: Events) -> Mapping[str, object] | None:
    found = [mapping(one).get("usage") for one in events]
    return next((one for one in reversed(found) if isinstance(one, Mapping)), None)


def _nearest(readings: Iterable[tuple[D, Iterator[Difference]]]) -> tuple[D, list[Difference]]:
    """The backend's response that fits best, and what has changed. One without changes ends the search, and of the others some are enough."""
    best: tuple[D, list[Difference]] | None = None
    for delivered, losses in readings:
        counted = list(islice(losses, MOST_COUNTED))
        best = (delivered, counted) if best is None or _weight(counted) < _weight(best[1]) else best
        if not best[1]:
            break
    assert best is not None
    return best


def _weight(lost: list[Difference]) -> tuple[int, int]:
    return sum(not one.only_null for one in lost), len(lost)


def _lost(sent: Mapping[str, object], received: Mapping[str, object]) -> Iterator[Difference]:
    """Members whose value has changed, each with its path, what the backend sent and what arrived."""
    yield from changes({name: value for name, value in sent.items() if name not in OWN}, received)
    for name in INVENTED:
        if name not in sent and received.get(name) is not None:
            yield Difference(name, ABSENT, received[name], False)


def _lost_events(sent: Events, received: Events) -> Iterator[Difference]:
    """Events that have changed. Usage has cases of its own: a router may request it in order to count, and not forward it."""
    for n, (one, other) in enumerate(zip_longest(sent, received, fillvalue=ABSENT)):
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from (replace(lost, path=f"event {n}, {lost.path}") for lost in _lost(one, other))
        elif one != other:
            yield Difference(f"event {n}", one, other, False)


def _with_choices(events: Events) -> Events:
    """The chunks about choices, without usage: that has cases of its own."""
    kept = [one for one in events if mapping(one).get("choices") != []]
    return [{k: v for k, v in one.items() if k != "usage"} if isinstance(one, Mapping) else one for one in kept]


def _others(events: Events) -> Events:
    """The chunks without choices and without usage, such as the verdict of a content filter on the prompt."""
    found = (mapping(one) for one in events)
    return [dict(one) for one in found if one.get("choices") == [] and not one.get("usage")]


def _other_chunks(response: ChatResponse, sent: Events) -> Iterator[Evidence]:
    """Nothing that was sampled is in such a chunk: a router that drops it does no harm to training."""
    lost = list(_lost_events(_others(sent), _others(response.data)))
    if lost:
        yield replace(gravest_change(lost), cap="should").evidence("ROUTER-015", response)


def _content_type(response: ChatResponse) -> Iterator[Evidence]:
    found = (response.header("content-type") or "none").partition(";")[0].strip().lower()
    expected, requirement = (EVENTS, "ROUTER-015") if response.streamed else (JSON, "ROUTER-002")
    if found != expected:
        yield Finding(requirement, f"content-type: {expected}", f"content-type: {found}", (response.n,))
