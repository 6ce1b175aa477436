"""The plainest session with a trainer: a rollout begins, and the trainer answers one generation request."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.cases import Action, Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.probe_result import PlainRequest, ProbeResult, excerpt, key_source, result_of
from rollout_conformance.steps.engine.starting import STATUSES
from rollout_conformance.steps.engine.trace import Exchange
from rollout_conformance.steps.profiles.trainer import refused_key
from rollout_conformance.steps.profiles.trainer.actions import ReportEnd, StartRollout
from rollout_conformance.steps.profiles.trainer.expectations import GenerationStatus
from rollout_conformance.steps.profiles.trainer.generation import Generate, GenerateMinimal
from rollout_conformance.steps.profiles.trainer.state import TrainerSession, rollout_state

HERE = Location("greeting", 1)
CONTROL = "POST /rollouts"
GENERATION = "POST /v1/chat/completions"
CONTRACT = "contracts/trainer/openapi.yaml"
OTHER_SOURCES = (
    "Write on its card `rollouts: open` if it accepts any new rollout_id on its first generation request, or `rollouts: started` if it "
    "starts rollouts by itself, at the address given with --listen"
)
NOT_OPEN = (
    "The card says `rollouts: open`, and a generation request with a new rollout_id is answered {told}. Write on the card `rollouts: "
    "started` if the trainer starts rollouts by itself, at the address given with --listen, or `rollouts: control` if it has "
    f"{CONTROL} ({CONTRACT})"
)


@dataclass(frozen=True, slots=True)
class IfBegun:
    """Do something with a rollout, if it has begun: nothing waits for an answer to what never did."""

    what: Action[TrainerSession]

    async def perform(self, session: TrainerSession) -> None:
        if rollout_state(session.state, "").began:
            await self.what.perform(session)


@dataclass(frozen=True, slots=True)
class IfRejected:
    """Do something if the first generation request was rejected."""

    what: Action[TrainerSession]

    async def perform(self, session: TrainerSession) -> None:
        first = _first_generation(session)
        if first is not None and first.response is not None and 400 <= first.response.status < 500:
            await self.what.perform(session)


def greeting(dialect: str) -> Case:
    asked, ended = IfBegun(Generate()), IfBegun(ReportEnd())
    again = IfRejected(GenerateMinimal())
    steps = tuple(Step(what, HERE) for what in (StartRollout(), asked, again, ended, GenerationStatus((200,))))
    return Case("a plain session", "trainer", dialect, ("TRAINER-178",), steps, HERE)


def read_probe(session: TrainerSession, case: Case) -> ProbeResult:
    """Whether a trainer can be judged: rollouts begin in the way that the card says, and it answers their generation requests."""
    obstacle = OBSTACLES[session.context.source](session)
    if obstacle.obstacle:
        return obstacle
    return ProbeResult(_refused(session)) if _refused(session) else ProbeResult(remark=_of_generation(session))


def _refused(session: TrainerSession) -> str:
    """Why the key of the first generation request is refused, empty where it is not."""
    first, part = _first_generation(session), rollout_state(session.state, "")
    return refused_key.reason(first, part, session.context.source, session.context.place) if first is not None else ""


def _of_control(session: TrainerSession) -> ProbeResult:
    context = session.context
    sent = [exchange for exchange in session.trace.exchanges if exchange.to_target]
    if not sent:
        return ProbeResult("no control request was sent")
    control = sent[0]
    status = control.response.status if control.response else None
    if control.response is not None and status in (404, 405, 501):
        told = f"{status} {excerpt(control.response.body)}".strip()
        return ProbeResult(
            f"this trainer has no control API ({CONTRACT}): {CONTROL} is answered {told}. {OTHER_SOURCES}"
        )
    answered = _answered(session, "control request", CONTROL, control)
    if answered.obstacle:
        return answered
    if not any(not exchange.to_target for exchange in session.trace.exchanges) and not context.host.unmatched_requests:
        quiet = f"no request arrived at {context.host_url} within {session.patience_s:g} s"
        return ProbeResult(f"{CONTROL} is answered {status}, but {quiet}: can the target reach --listen?")
    return ProbeResult()


def _of_open(session: TrainerSession) -> ProbeResult:
    """A rejected request shows that new ids are not accepted only where one without any other member is rejected as well."""
    calls = rollout_state(session.state, "").calls
    if not calls:
        return ProbeResult("no generation request was sent")
    last = session.trace.exchanges[calls[-1].n]
    status = last.response.status if last.response else None
    if last.response is not None and status is not None and 400 <= status < 500 and status not in (401, 403, *STATUSES):
        told = f"{status} {excerpt(last.response.body)}".strip()
        return ProbeResult(NOT_OPEN.format(told=told))
    return _answered(session, "generation request", GENERATION, last)


def _of_started(session: TrainerSession) -> ProbeResult:
    part = rollout_state(session.state, "")
    if part.hosted is None:
        return ProbeResult(session.state.get("no_occasion", "no start request arrived"))
    first = _first_generation(session)
    if first is not None and first.response is None:
        return ProbeResult(
            f"the start request names {part.base_url} for generation requests, and {GENERATION} there gets no answer: {first.fault}"
        )
    return ProbeResult()


OBSTACLES = {"control": _of_control, "open": _of_open, "started": _of_started}


def _answered(session: TrainerSession, name: str, request: str, exchange: Exchange) -> ProbeResult:
    context = session.context
    return result_of(PlainRequest(name, request, key_source(context.target_key, context.card.key)), exchange)


def _first_generation(session: TrainerSession) -> Exchange | None:
    calls = rollout_state(session.state, "").calls
    return session.trace.exchanges[calls[0].n] if calls else None


def _of_generation(session: TrainerSession) -> str:
    first = _first_generation(session)
    response = first.response if first is not None else None
    if response is None or response.status == 200:
        return ""
    return f"a plain generation request is answered {response.status} {excerpt(response.body)}".strip()
