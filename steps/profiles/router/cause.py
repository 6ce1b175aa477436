"""Why a request of a case ended otherwise than its script gives reason for. What rests on that end is not judged.

A router that is full, or that lets engines rest after failures, answers 429 or 503 by itself: no engine is asked. That says nothing of
what the case is about, and the case is played again with nobody beside it. Any other end (a 500, a connection lost, a silence)
is the finding, once.
"""

from collections.abc import Iterator

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Cause, Finding
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import Request, parse
from rollout_conformance.steps.peers.scripted_backends import BackendLine, Plan
from rollout_conformance.steps.profiles.chat.requests import CHAT, COMPLETIONS
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.affinity import Engines, LastDies, Stop
from rollout_conformance.steps.profiles.router.allowed_statuses import OK, wanted
from rollout_conformance.steps.profiles.router.context import RouterContext
from rollout_conformance.steps.profiles.router.received import received
from rollout_conformance.steps.sse.streams import DONE

BY_ITSELF = (429, 502, 503, 504)  # what routers answer that are full, or have no engine left to ask
ABOUT_LIMITS = frozenset({"ROUTER-019", "ROUTER-020", "ROUTER-021", "ROUTER-037", "ROUTER-038"})
ENGINES = 2
LATE_S = 0.5  # a quarter of what routers in a hurry wait for an engine


def cause(case: Case, view: CaseView) -> Cause | None:
    plans: list[Plan] = view.extra.get("plans", [])
    if not plans:
        return None
    return _late(case, view, plans) or _without_body(view, plans) or next(_odd(case, view, plans), None)


def _late(case: Case, view: CaseView, plans: list[Plan]) -> Cause | None:
    """Engines that answer late for want of a processor are silent in the eyes of a router, and it may give them up."""
    assert isinstance(view.context, RouterContext)
    late_s = view.context.lateness.since(view.trace.epoch)
    sent = sum(one.to_target and one.request.path in (CHAT, COMPLETIONS) for one in view.trace.exchanges)
    retried = sum(len(plan.asked) for plan in plans) > sent and not _failing(plans)
    if late_s < LATE_S or not (retried or any(_unexpected(case, view, plans, reply) for reply in view.judged)):
        return None
    reason = f"the suite itself, which plays the engines, was {late_s:.1f} s late in this case"
    return Cause(reason, None, 0, again=True)


def _unexpected(case: Case, view: CaseView, plans: list[Plan], reply: ChatResponse) -> bool:
    """Whether a reply is otherwise than it should be by its status or, of a stream, by its end."""
    allowed = wanted(case, view, reply)
    if allowed is not None and reply.status not in allowed:
        return True
    return reply.is_completion and reply.streamed and not _failing(plans) and DONE not in reply.data


def _failing(plans: list[Plan]) -> bool:
    return any(line.fails for plan in plans for line in plan.played)


def _without_body(view: CaseView, plans: list[Plan]) -> Cause | None:
    """An answer though every engine that got the request failed: another one got something else in its place."""
    if any(not played.gives_nothing for plan in plans for played in plan.played):
        return None
    reply = next((one for one in view.judged if one.is_completion and one.request), None)
    assert isinstance(view.context, RouterContext)
    unmatched_requests = view.context.backends.unmatched_requests[view.extra.get("unmatched_requests", 0) :]
    empty = next((one for one in unmatched_requests if not mapping(parse(one.body))), None)
    if reply is None or empty is None or not plans[-1].played:
        return None
    observed = f"the second engine got a body of {len(empty.body)} bytes: {show(empty.body.decode('utf-8', 'replace'))}"
    finding = Finding("ROUTER-003", "the same request at the second engine", observed, (reply.n,))
    return Cause("an engine was asked again without the request", finding, reply.n)


def _odd(case: Case, view: CaseView, plans: list[Plan]) -> Iterator[Cause]:
    for reply in view.judged:
        allowed = wanted(case, view, reply)
        if reply.status == OK or reply.left or allowed is None or reply.status in allowed:
            continue
        alone = reply.status in BY_ITSELF and not _asked(view, plans, reply) and not _down(case)
        if alone and not ABOUT_LIMITS & set(case.requirements):
            yield _by_itself(view, plans, reply)
        elif view.extra.get("unwell") and OK in allowed:
            reason = "the router had not yet come back from the failures of earlier cases: not every engine answered greetings"
            yield Cause(reason, None, reply.n)
        elif reply.request and OK in allowed:
            yield _finding(case, view, plans, reply)


def _down(case: Case) -> bool:
    """Whether the case itself takes engines or the router down: whoever is down gets no request to be seen."""
    return any(isinstance(step.what, Engines | LastDies | Stop) for step in case.actions)


def _by_itself(view: CaseView, plans: list[Plan], reply: ChatResponse) -> Cause:
    reason = f"the router answered {reply.status} by itself (no engine was asked)"
    failed = {name for plan in plans for (name, _), line in zip(plan.asked, plan.played, strict=True) if line.fails}
    if len(failed) >= ENGINES:
        return Cause(f"{reason}, after each engine had failed in this case", None, reply.n)
    if not view.extra.get("apart"):
        return Cause(reason, None, reply.n, again=True)
    if reply.status == 429 or view.extra.get("unwell") or _company(view, reply):
        return Cause(reason, None, reply.n)
    expected = f"{OK}: it is asked nothing else, and every engine answered greetings just before"
    finding = Finding("ROUTER-001", expected, f"{received(reply)}, and no engine was asked", (reply.n,))
    return Cause(reason, finding, reply.n + 1)


def _finding(case: Case, view: CaseView, plans: list[Plan], reply: ChatResponse) -> Cause:
    """One end, one finding: of the case where its script or its request may be the reason, else of what every request is owed."""
    observed = received(reply) if reply.status is not None else str(view.trace.exchanges[reply.n].fault)
    generic = reply.status is None or reply.status >= 500
    scripted = _down(case) or any(line.fails for plan in plans for line in _lines(view, plan, reply))
    requirement = _owed(view, plans, reply) if generic and not scripted else case.requirements[0]
    finding = Finding(requirement, "200", observed, (reply.n,))
    return Cause(f"a request was answered {reply.status or 'nothing'}", finding, reply.n + 1)


def _owed(view: CaseView, plans: list[Plan], reply: ChatResponse) -> str:
    if "prompt" in reply.request:
        return "ROUTER-048"
    if not _asked(view, plans, reply):
        return "ROUTER-001"
    return "ROUTER-015" if reply.streamed else "ROUTER-002"


def _lines(view: CaseView, plan: Plan, reply: ChatResponse) -> Iterator[BackendLine]:
    """What engines played while this request ran."""
    began, ended = _span(view, reply.n)
    yield from (line for at, line in zip(plan.asked_at, plan.played, strict=True) if began <= at <= ended)


def _span(view: CaseView, n: int) -> tuple[float, float]:
    exchange = view.trace.exchanges[n]
    return exchange.began, float("inf") if exchange.ended is None else exchange.ended


def _asked(view: CaseView, plans: list[Plan], reply: ChatResponse) -> bool:
    """Whether an engine got this request. Of several that are equal and overlap, each that was answered well had one."""
    began, ended = _span(view, reply.n)
    about = reply.request.get("messages", reply.request.get("prompt"))
    reached = sum(
        began <= at <= ended and (not reply.request or _about(request) == about)
        for plan in plans
        for at, (_, request) in zip(plan.asked_at, plan.asked, strict=True)
    )
    served = sum(
        one.status == OK
        and one.n != reply.n
        and (not reply.request or one.request.get("messages", one.request.get("prompt")) == about)
        and _overlap(_span(view, one.n), (began, ended))
        for one in view.judged
    )
    return bool(reached > served)


def _about(request: Request) -> object:
    body = mapping(parse(request.body))
    return body.get("messages", body.get("prompt"))


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _company(view: CaseView, reply: ChatResponse) -> bool:
    """Whether the case asked something else of the router at the same time."""
    span = _span(view, reply.n)
    others = (one.n for one in view.trace.exchanges if one.to_target and one.n != reply.n)
    return any(_overlap(_span(view, n), span) for n in others)
