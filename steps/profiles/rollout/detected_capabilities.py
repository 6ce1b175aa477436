"""What a target of the routed or leased dialect shows of itself in a first, plain rollout: whether it knows its rollouts, cancels them, and
measures them."""

import contextlib

from rollout_conformance.steps.engine.http_client import client
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.session import Session, WaitTimeout
from rollout_conformance.steps.engine.trace import Exchange, Trace, parse
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.profiles.rollout.actions.prepare import ScriptTrainer
from rollout_conformance.steps.profiles.rollout.actions.requests import Cancel, GetStatus
from rollout_conformance.steps.profiles.rollout.actions.start import Start
from rollout_conformance.steps.profiles.rollout.actions.wait import WaitForEnd
from rollout_conformance.steps.profiles.rollout.context import CaseContext, RolloutSession

HELLO = ScriptTrainer(Script((Reply(text="Hello."),)))
STEPS = (HELLO, Start(), GetStatus(), WaitForEnd(), GetStatus(), Cancel())
LEASED_STEPS = (HELLO, Start(), WaitForEnd(), Cancel())  # this dialect has no path for the status


async def capabilities(base_url: str, context: CaseContext, patience_s: float) -> frozenset[str]:
    """Those of `status`, `cancel` and `metrics` that the target has. One that answers these paths and knows nothing has neither."""
    async with client(headers=context.card.headers) as http:
        session: RolloutSession = Session(base_url, http, Trace(), patience_s, 0.0)
        session.context = context
        with contextlib.suppress(WaitTimeout):
            for step in LEASED_STEPS if context.dialect == "leased" else STEPS:
                await step.perform(session)
        exchanges = [e for e in session.trace.exchanges if e.to_target]
        given = session.state["rollouts"][""].given
        rollout_id = given.rollout_id if given is not None else ""
        await session.close()
    has = {
        "status": _knows(exchanges),
        "cancel": _cancels(exchanges, rollout_id),
        "metrics": _measures(session.trace.exchanges),
    }
    return frozenset(name for name, found in has.items() if found)


def _knows(exchanges: list[Exchange]) -> bool:
    """Whether the status of the rollout was another than `unknown`, during it or after it."""
    shown = [_body(e).get("status") for e in exchanges if e.request.path.endswith("/status")]
    return any(isinstance(status, str) and status != "unknown" for status in shown)


def _cancels(exchanges: list[Exchange], rollout_id: str) -> bool:
    """Whether a cancellation by ids is understood: its response has a value for the id."""
    answers = [_body(e) for e in exchanges if e.request.path == "/rollout/cancel"]
    return any(
        rollout_id in (results if isinstance(results := body.get("dispositions"), dict) else body) for body in answers
    )


def _measures(exchanges: list[Exchange]) -> bool:
    """Whether a sample has metrics: in a grader callback, or in a result."""
    sent = [parse(e.request.body) for e in exchanges if not e.to_target and e.request.path.endswith("/graded")]
    bodies = [*sent, *(_body(e) for e in exchanges if e.to_target and e.request.path.endswith("/result"))]
    return any(mapping(mapping(mapping(body).get("sample")).get("metrics")) for body in bodies)


def _body(exchange: Exchange) -> dict[str, object]:
    """The JSON object of an answer that is a 2xx."""
    response = exchange.response
    body = parse(response.body) if response is not None and 200 <= response.status < 300 else None
    return body if isinstance(body, dict) else {}
