"""The plainest request to a router: a greeting that an engine of ours answers. What it shows before anything is judged."""

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.probe_result import PlainRequest, ProbeResult, answered, key_source, result_of
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.http.expectations import Status
from rollout_conformance.steps.profiles.chat.requests import CHAT, ChatRequest
from rollout_conformance.steps.profiles.router.actions import Play

HERE = Location("greeting", 1)
WRITE = "configure it for these engines; a card may write {engine_a} and {engine_b} into its env, and --listen fixes the ports"


def greeting(dialect: str) -> Case:
    steps = tuple(Step(what, HERE) for what in (Play(), ChatRequest(user="Hello!"), Status()))
    return Case("a plain greeting", "router", dialect, ("ROUTER-002",), steps, HERE)


def read_probe(session: Session, case: Case) -> ProbeResult:
    """Whether a router can be judged: its answer to a greeting is that of an engine of ours."""
    context = session.context
    exchange = session.trace.exchanges[-1]
    plain = PlainRequest("greeting", f"POST {CHAT}", key_source(context.key, context.card.key))
    found, response = result_of(plain, exchange), exchange.response
    reached = (
        bool(session.state["plan"].asked)
        or len(context.backends.unmatched_requests) > session.state["unmatched_requests"]
    )
    if reached or response is None or response.status in (401, 403) or 300 <= response.status < 400:
        return found
    places = f"{', '.join(context.places)}, model {context.model}"
    told = f"every greeting is answered {answered(response)}, and none reaches an engine of the suite ({places})"
    return ProbeResult(f"{told}: {WRITE}", retry_s=found.retry_s)
