"""Compares what a client sent with what reached the backends, on each attempt: the first one, a retry, a failover. Pure.

Attempts after an interrupted stream are not compared: they request the rest of it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import ABSENT, Difference, show
from rollout_conformance.steps.engine.json_text import NotJson
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import Request, parse
from rollout_conformance.steps.peers.scripted_backends import BackendScript
from rollout_conformance.steps.profiles.chat.capabilities import HINTS, SAMPLING
from rollout_conformance.steps.profiles.chat.requests import COMPLETIONS
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.forwarding import gravest_change
from rollout_conformance.steps.profiles.router.json_changes import changes

OWN = ("stream_options", "model", "user")  # members of a request that a router may set
COUNTING = ("include_usage", "continuous_usage_stats")  # of `stream_options`
RENDERED = ("tools", "response_format", "structured_outputs", "guided_json", "chat_template_kwargs")
"""Members whose objects are written into the prompt, or decide in which order members are generated."""
RENAMED = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}  # OpenAI: the first is deprecated
MOST_COUNTED = 50  # changes that are counted to find the client's request that fits best

Body = Mapping[str, object]


def requests_unmodified(view: CaseView) -> Iterator[Evidence]:
    """Each request at a backend has every member of the client's request, unchanged."""
    scripts: list[BackendScript] = view.extra.get("scripts", [])
    for script in scripts:
        sent, as_text = _sent(view, script), _texts(view, script)
        for number, (backend, request) in enumerate(script.received if sent else ()):
            if any(line.interrupted_after for line in script.played[:number]):
                break
            if request.body in as_text:
                continue  # forwarded as it is, byte for byte: whether it should have been is for the case to judge
            at = f" (request {number + 1} to the backends, at backend {backend})" if number else ""
            yield from _compared(sent, request, at)


def _sent(view: CaseView, script: BackendScript) -> list[tuple[int, Body]]:
    """The requests of the client that belong to this script, with the numbers of their exchanges, without what the router imposes."""
    nonce = script.nonce.encode()
    mine = [one for one in view.trace.exchanges if one.to_target and nonce in one.request.body]
    found = [(one.n, mapping(parse(one.request.body))) for one in mine]
    imposed = view.context.imposed
    return [(n, {name: value for name, value in body.items() if name not in imposed}) for n, body in found if body]


def _texts(view: CaseView, script: BackendScript) -> frozenset[bytes]:
    """Those requests of the client that are no JSON object: no member of theirs can be lost."""
    nonce = script.nonce.encode()
    mine = [one.request.body for one in view.trace.exchanges if one.to_target and nonce in one.request.body]
    return frozenset(body for body in mine if not mapping(parse(body)))


def _compared(sent: list[tuple[int, Body]], request: Request, at: str) -> Iterator[Evidence]:
    requirement = "ROUTER-048" if request.path.partition("?")[0].endswith(COMPLETIONS) else "ROUTER-001"
    received = parse(request.body)
    if isinstance(received, NotJson):
        yield Finding(requirement, "the body of the request", f"no JSON: {received.why}{at}", (sent[-1][0],))
        return
    n, body, lost = _nearest(sent, mapping(received))
    yield from _options_added(body, mapping(received), n, at)
    renamed = [one for one in lost if _is_renamed(one, mapping(received))]
    check = gravest_change([one for one in lost if one not in renamed])
    if check.ok and renamed:
        name, value = renamed[0].path, show(renamed[0].expected)
        yield Finding(requirement, f"{name}: {value}", f"{RENAMED[name]}: {value} instead{at}", (n,), cap="should")
    elif check.ok:
        yield Satisfied(requirement)
    if check.ok:
        yield from _order(body, mapping(received), n, at)
        return
    found = check.evidence(requirement)
    assert isinstance(found, Finding)
    hint = HINTS["request_sampling"] if all(one.path.partition(".")[0] in SAMPLING for one in lost) else ""
    yield replace(found, observed=f"{found.observed}{at}", exchanges=(n,), hint=hint)


def _nearest(sent: list[tuple[int, Body]], received: Body) -> tuple[int, Body, list[Difference]]:
    """The client's request that this one is, and what has changed."""
    best: tuple[int, Body, list[Difference]] | None = None
    for n, body in sent:
        lost = list(islice(lost_members(body, received), MOST_COUNTED))
        best = (n, body, lost) if best is None or len(lost) < len(best[2]) else best
        if not lost:
            break
    assert best is not None
    return best


def lost_members(sent: Body, received: Body) -> Iterator[Difference]:
    """Members of a request whose value has changed. `stream: false` is what a request without `stream` means."""
    expected = {name: value for name, value in sent.items() if name not in OWN}
    for change in chain(changes(expected, received), _lost_options(sent, received)):
        if change.path != "stream" or change.expected is not False or change.observed is not ABSENT:
            yield change


def _lost_options(sent: Body, received: Body) -> Iterator[Difference]:
    """Members of `stream_options` that were lost. Those that give usage a router may set to true, to count for itself."""
    arrived = mapping(received.get("stream_options"))
    asked = mapping(sent.get("stream_options"))
    kept = {name: value for name, value in asked.items() if not (name in COUNTING and arrived.get(name) is True)}
    for change in changes(kept, arrived, "stream_options"):
        if (
            change.path != "stream_options.include_usage"
        ):  # whether there is usage is for the cases about usage to judge
            yield change


def _options_added(sent: Body, received: Body, n: int, at: str) -> Iterator[Evidence]:
    """`stream_options` that a router adds belong to a stream. Those that the client sent are a mistake of its own."""
    if received.get("stream") is True or sent.get("stream_options") is not None:
        return
    options = received.get("stream_options")
    if options is None:
        yield Satisfied("ROUTER-073")
        return
    expected = "no stream_options in a request without stream: true"
    yield Finding("ROUTER-073", expected, f"stream_options: {show(options)}{at}", (n,))


def _is_renamed(change: Difference, received: Body) -> bool:
    """Whether a limit of tokens has arrived by the other of its two names."""
    other = RENAMED.get(change.path)
    return other is not None and change.observed is ABSENT and received.get(other) == change.expected


def _order(sent: Body, received: Body, n: int, at: str) -> Iterator[Evidence]:
    """The order of members matters where objects are rendered into the prompt."""
    judged = [name for name in RENDERED if isinstance(sent.get(name), Mapping | list)]
    if not judged:
        return
    found = next((change for name in judged for change in reordered(sent[name], received.get(name), name)), None)
    if found is None:
        yield Satisfied("ROUTER-067")
        return
    path, expected, observed = found
    text = f"{path} with the members {observed}{at}"
    yield Finding("ROUTER-067", f"{path} with the members {expected}", text, (n,))


def reordered(sent: object, received: object, path: str) -> Iterator[tuple[str, str, str]]:
    """Objects whose members have another order, each with its path and both orders."""
    if isinstance(sent, Mapping) and isinstance(received, Mapping):
        before, after = [name for name in sent if name in received], [name for name in received if name in sent]
        if before != after:
            yield path, json.dumps(before), json.dumps(after)
        for name in before:
            yield from reordered(sent[name], received[name], f"{path}.{name}")
    elif isinstance(sent, list) and isinstance(received, list):
        for n, (one, other) in enumerate(zip(sent, received, strict=False)):
            yield from reordered(one, other, f"{path}[{n}]")
