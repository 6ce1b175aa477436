"""The plainest session with a trainer: it starts a rollout at our server and answers one generation call."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.cases import Action, Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.probe_result import PlainRequest, ProbeResult, excerpt, key_source, result_of
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.profiles.trainer.actions import Generate, ReportEnd, StartRollout
from rollout_conformance.steps.profiles.trainer.expectations import GenerationStatus
from rollout_conformance.steps.profiles.trainer.state import rollout_state

HERE = Location("greeting", 1)
CONTROL = "POST /rollouts"
CONTRACT = "contracts/trainer/openapi.yaml"


@dataclass(frozen=True, slots=True)
class IfStarted:
    """Do something with a rollout, if the trainer has started it: nothing waits for an answer to what never began."""

    what: Action

    async def perform(self, session: Session) -> None:
        hosted = rollout_state(session.state, "").hosted
        if hosted is not None and hosted.accepted:
            await self.what.perform(session)


def greeting(dialect: str) -> Case:
    asked, ended = IfStarted(Generate()), IfStarted(ReportEnd())
    steps = tuple(Step(what, HERE) for what in (StartRollout(), asked, ended, GenerationStatus((200,))))
    return Case("a plain session", "trainer", dialect, ("TRAINER-178",), steps, HERE)


def read_probe(session: Session, case: Case) -> ProbeResult:
    """Whether a trainer can be judged: it takes control requests, and its start request reaches our server."""
    context = session.context
    sent = [exchange for exchange in session.trace.exchanges if exchange.to_target]
    if not sent:
        return ProbeResult("no control request was sent")
    control = sent[0]
    status = control.response.status if control.response else None
    if control.response is not None and status in (404, 405, 501):
        told = f"{status} {excerpt(control.response.body)}".strip()
        return ProbeResult(f"this trainer has no control API ({CONTRACT}): {CONTROL} is answered {told}")
    answered = result_of(
        PlainRequest("control request", CONTROL, key_source(context.target_key, context.card.key)), control
    )
    if answered.obstacle:
        return answered
    if not any(not exchange.to_target for exchange in session.trace.exchanges) and not context.host.unmatched_requests:
        quiet = f"no request arrived at {context.host_url} within {session.patience_s:g} s"
        return ProbeResult(f"{CONTROL} is answered {status}, but {quiet}: can the target reach --listen?")
    return ProbeResult(remark=_of_generation(session))


def _of_generation(session: Session) -> str:
    calls = rollout_state(session.state, "").calls
    response = session.trace.exchanges[calls[0].n].response if calls else None
    if response is None or response.status == 200:
        return ""
    return f"a plain generation call is answered {response.status} {excerpt(response.body)}".strip()
