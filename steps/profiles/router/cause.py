"""Why a request of a case ended in another way than its script explains. What depends on that end is not judged.

A router that is full, or that does not use backends for a while after failures, returns 429 or 503 without sending the request to a
backend. That shows nothing of what the case is about, and the case is played again with no other case at the same time. Any other end
(a 500, a lost connection, no response) is the finding, once.
"""

from collections.abc import Iterator

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.engine.http_client import NOT_CONNECTED
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import Request, parse
from rollout_conformance.steps.peers.scripted_backends import BackendResponse, BackendScript
from rollout_conformance.steps.profiles.chat.requests import CHAT, COMPLETIONS
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.allowed_statuses import OK, allowed
from rollout_conformance.steps.profiles.router.backends import BackendsDown, StopLastBackend, StopRouter
from rollout_conformance.steps.profiles.router.context import RouterContext
from rollout_conformance.steps.sse.streams import DONE

BY_ITSELF = (429, 502, 503, 504)  # what routers return that are full, or have no backend left
GATEWAY_FAILURES = (502, 503, 504)
ABOUT_LIMITS = frozenset({"ROUTER-019", "ROUTER-020", "ROUTER-021", "ROUTER-037", "ROUTER-038"})
ABOUT_WAITING = frozenset({"ROUTER-057"})
OF_CONNECTIONS = frozenset({"connection", "te", "upgrade", "expect"})
BACKENDS = 2
FRAMING, FAILOVER = "ROUTER-055", "ROUTER-003"
MALFORMED = ("does not speak HTTP", "the body is not packed")  # faults of the client of the suite
LATE_S = 0.5  # a quarter of the shortest time that routers wait for a backend

Scripts = list[BackendScript]


def cause(case: Case, view: CaseView) -> Cause | None:
    scripts: Scripts = view.extra.get("scripts", [])
    if not scripts:
        return None
    return (
        _late(case, view, scripts)
        or _without_body(view, scripts)
        or next(_odd(case, view, scripts), None)
        or next(_without_failover(case, view, scripts), None)
    )


def _late(case: Case, view: CaseView, scripts: Scripts) -> Cause | None:
    """Backends that respond late because the suite has too little CPU time are silent to a router, which may time out."""
    assert isinstance(view.context, RouterContext)
    late_s = view.context.lateness.since(view.trace.epoch)
    sent = sum(one.to_target and one.request.path in (CHAT, COMPLETIONS) for one in view.trace.exchanges)
    retried = sum(len(script.received) for script in scripts) > sent and not _failing(scripts)
    if late_s < LATE_S or not (retried or any(_unexpected(case, view, scripts, one) for one in view.responses)):
        return None
    reason = f"the suite itself, which plays the backends, was {late_s:.1f} s late in this case"
    return Cause(reason, None, 0, again=True)


def _unexpected(case: Case, view: CaseView, scripts: Scripts, response: ChatResponse) -> bool:
    """Whether a response has a status that the case does not allow, or is a stream without its end."""
    statuses = allowed(case, view, response)
    if statuses is not None and response.status not in statuses:
        return True
    return response.is_completion and response.streamed and not _failing(scripts) and DONE not in response.data


def _failing(scripts: Scripts) -> bool:
    return any(line.fails for script in scripts for line in script.played)


def _without_body(view: CaseView, scripts: Scripts) -> Cause | None:
    """A success although each backend that received the request failed: another backend received something else instead."""
    if any(not line.gives_nothing for script in scripts for line in script.played):
        return None
    response = next((one for one in view.responses if one.is_completion and one.request and not one.fault), None)
    assert isinstance(view.context, RouterContext)
    unmatched = view.context.backends.unmatched_requests[view.extra.get("unmatched_before", 0) :]
    empty = next((one for one in unmatched if not mapping(parse(one.body))), None)
    if response is None or empty is None or not scripts[-1].played:
        return None
    text = show(empty.body.decode("utf-8", "replace"))
    observed = f"the second backend received a body of {len(empty.body)} bytes: {text}"
    finding = Finding(FAILOVER, "the same request at the second backend", observed, (response.n,))
    return Cause("the router failed over without the request", finding, response.n)


def _without_failover(case: Case, view: CaseView, scripts: Scripts) -> Iterator[Cause]:
    """A case about a second backend shows nothing of it where the router returns the failure of the first one."""
    for response in view.responses if FAILOVER in case.requirements else ():
        lines = [line for script in scripts for line in _lines(view, script, response)]
        if len(lines) == 1 and lines[0].status >= 500 and response.status is not None and response.status >= 500:
            observed = f"{response.shown()}, and no request at another backend"
            finding = Finding(FAILOVER, "the request at another backend", observed, (response.n,))
            yield Cause("the router did not fail over", finding, response.n)


def _odd(case: Case, view: CaseView, scripts: Scripts) -> Iterator[Cause]:
    for response in view.responses:
        if response.status is None and not _down(case) and _not_connected(view, response):
            yield Cause("the router accepted no connection", None, response.n, again=True)
            continue
        statuses = allowed(case, view, response)
        if response.status == OK or response.left or statuses is None or response.status in statuses:
            continue
        alone = response.status in BY_ITSELF and not _received(view, scripts, response) and not _down(case)
        if alone and not ABOUT_LIMITS & set(case.requirements):
            yield _by_itself(view, scripts, response)
        elif view.extra.get("unwell") and OK in statuses:
            reason = (
                "the router had not recovered from the failures of earlier cases: not every backend answered greetings"
            )
            yield Cause(reason, None, response.n)
        elif response.request and OK in statuses:
            yield _finding(case, view, scripts, response)


def _not_connected(view: CaseView, response: ChatResponse) -> bool:
    """Whether a request never reached the router: what its backends did not receive then says nothing of it."""
    fault = view.trace.exchanges[response.n].fault if response.n < len(view.trace.exchanges) else None
    return (fault or "").startswith(NOT_CONNECTED)


def _down(case: Case) -> bool:
    """Whether the case itself stops backends or the router: no request can be seen at what is down."""
    return any(isinstance(step.what, BackendsDown | StopLastBackend | StopRouter) for step in case.actions)


def _by_itself(view: CaseView, scripts: Scripts, response: ChatResponse) -> Cause:
    reason = f"the router returned {response.status} without sending the request to a backend"
    failed = {
        name for one in scripts for (name, _), line in zip(one.received, one.played, strict=True) if line.is_outage
    }
    if len(failed) >= BACKENDS:
        return Cause(f"{reason}, after each backend had failed in this case", None, response.n)
    if not view.extra.get("apart"):
        return Cause(reason, None, response.n, again=True)
    if response.status == 429 or view.extra.get("unwell") or _concurrent(view, response):
        return Cause(reason, None, response.n)
    expected = f"{OK}: no other request is running, and every backend answered greetings just before"
    observed = f"{response.shown()}, and no request at a backend"
    requirement = "ROUTER-004" if _only_rejected(scripts) else "ROUTER-001"
    return Cause(reason, Finding(requirement, expected, observed, (response.n,)), response.n + 1, starved=True)


def _only_rejected(scripts: Scripts) -> bool:
    """Whether backends returned nothing worse than 4xx, which is no reason to take them out of service."""
    played = [line for script in scripts for line in script.played]
    return any(line.gives_nothing for line in played) and not any(line.is_outage for line in played)


def _finding(case: Case, view: CaseView, scripts: Scripts, response: ChatResponse) -> Cause:
    """One end, one finding: of the case where its script or its request may be the reason, else of what every request is due."""
    observed = response.shown() if response.status is not None else str(view.trace.exchanges[response.n].fault)
    generic = response.status is None or response.status >= 500
    lines = (line for script in scripts for line in _lines(view, script, response))
    scripted = _down(case) or any(line.fails or line.size for line in lines)
    subject = _is_subject(case, response) or _is_about_connections(case)
    requirement = _due(view, scripts, response) if generic and not scripted and not subject else case.requirements[0]
    if response.status is None and observed.startswith(MALFORMED):
        requirement = FRAMING  # whatever the case is about, and whatever the backends did
    finding = Finding(requirement, "200", observed, (response.n,))
    # A router that waits for a CPU itself runs into its own timeouts, and takes backends that respond for dead ones.
    starved = response.status in GATEWAY_FAILURES and not _failing(scripts)
    return Cause(f"a request had the response {response.status or 'none'}", finding, response.n + 1, starved=starved)


def _is_about_connections(case: Case) -> bool:
    """Whether its requests have headers that a server may refuse in itself (RFC 9110 7.6.1, 7.8): the requests of other cases have none."""
    names = {name.lower() for step in case.actions for name in getattr(step.what, "headers", None) or ()}
    return bool(names & OF_CONNECTIONS)


def _is_subject(case: Case, response: ChatResponse) -> bool:
    """Whether this end is what the case is about: a refusal in one about limits, no response in one about a client that holds up others."""
    about = set(case.requirements)
    return bool(
        (response.status in BY_ITSELF and ABOUT_LIMITS & about) or (response.status is None and ABOUT_WAITING & about)
    )


def _due(view: CaseView, scripts: Scripts, response: ChatResponse) -> str:
    if "prompt" in response.request:
        return "ROUTER-048"
    if not _received(view, scripts, response):
        return "ROUTER-001"
    return "ROUTER-015" if response.streamed else "ROUTER-002"


def _lines(view: CaseView, script: BackendScript, response: ChatResponse) -> Iterator[BackendResponse]:
    """What backends played while this request ran."""
    began, ended = _span(view, response.n)
    yield from (line for at, line in zip(script.received_at, script.played, strict=True) if began <= at <= ended)


def _span(view: CaseView, n: int) -> tuple[float, float]:
    exchange = view.trace.exchanges[n]
    return exchange.began, float("inf") if exchange.ended is None else exchange.ended


def _received(view: CaseView, scripts: Scripts, response: ChatResponse) -> bool:
    """Whether a backend received this request. Of several that are equal and overlap, each that succeeded had reached one."""
    began, ended = _span(view, response.n)
    about = response.request.get("messages", response.request.get("prompt"))
    reached = sum(
        began <= at <= ended and (not response.request or _about(request) == about)
        for script in scripts
        for at, (_, request) in zip(script.received_at, script.received, strict=True)
    )
    served = sum(
        one.status == OK
        and one.n != response.n
        and (not response.request or one.request.get("messages", one.request.get("prompt")) == about)
        and _overlap(_span(view, one.n), (began, ended))
        for one in view.responses
    )
    return bool(reached > served)


def _about(request: Request) -> object:
    body = mapping(parse(request.body))
    return body.get("messages", body.get("prompt"))


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _concurrent(view: CaseView, response: ChatResponse) -> bool:
    """Whether the case sent another request to the router at the same time."""
    span = _span(view, response.n)
    others = (one.n for one in view.trace.exchanges if one.to_target and one.n != response.n)
    return any(_overlap(_span(view, n), span) for n in others)
