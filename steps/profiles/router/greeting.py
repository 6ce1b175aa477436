"""The plainest request to a router: a greeting that a backend of the suite answers. What it shows before anything is judged."""

from dataclasses import replace

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.probe_result import PlainRequest, ProbeResult, answered, key_source, result_of
from rollout_conformance.steps.http.expectations import Status
from rollout_conformance.steps.profiles.chat.requests import CHAT, ChatRequest
from rollout_conformance.steps.profiles.router.backends import ScriptBackends, script_of
from rollout_conformance.steps.profiles.router.context import RouterSession

HERE = Location("greeting", 1)
WRITE = (
    "configure it for these backends; "
    "the command of --target and the env of a card may have {backend_a} and {backend_b}, --listen fixes the ports, and --model names the model"
)


def greeting(dialect: str) -> Case:
    steps = tuple(Step(what, HERE) for what in (ScriptBackends(), ChatRequest(user="Hello!"), Status()))
    return Case("a plain greeting", "router", dialect, ("ROUTER-002",), steps, HERE)


def read_probe(session: RouterSession, case: Case) -> ProbeResult:
    """Whether a router can be judged: its response to a greeting is that of a backend of the suite."""
    context = session.context
    exchange = session.trace.exchanges[-1]
    plain = PlainRequest("greeting", f"POST {CHAT}", key_source(context.key, context.card.key))
    found, response = result_of(plain, exchange), exchange.response
    unmatched = len(context.backends.unmatched_requests) - session.state["unmatched_before"]
    if script_of(session).received or unmatched > 0:
        return found
    if response is None or response.status in (401, 403) or 300 <= response.status < 400:
        return found
    addresses = f"{', '.join(context.addresses)}, model {context.model}"
    seen = f"every greeting is answered {answered(response)}, and none reaches a backend of the suite ({addresses})"
    return replace(found, obstacle=f"{seen}: {WRITE}")
