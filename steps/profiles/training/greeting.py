"""The simplest case of each dialect, and what it shows of a target: a model is created and evaluated once."""

from collections.abc import Sequence
from dataclasses import replace

from rollout_conformance.contracts.training.wire_protobuf import CONTENT_TYPE
from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.probe_result import PlainRequest, ProbeResult, key_source, result_of
from rollout_conformance.steps.engine.trace import Exchange
from rollout_conformance.steps.profiles.training.context import TrainingSession
from rollout_conformance.steps.profiles.training.expectations import CarriedOut
from rollout_conformance.steps.profiles.training.models import CreateModel
from rollout_conformance.steps.profiles.training.training_steps import Measure
from rollout_conformance.steps.profiles.training.wire_tinker import FORWARD, FORWARD_BACKWARD
from rollout_conformance.steps.profiles.training.wires import TINKER, WIRES

HERE = Location("greeting", 1)
JSON = "tinker-json"
EVALUATIONS = (FORWARD, FORWARD_BACKWARD, WIRES[TINKER].poll("").path)
REFUSED = (400, 404, 405, 406, 415, 422, 500)  # what servers return that cannot read a body; several do not catch it
MENDS = {
    "base_model": "name one that it serves with --model, or as `model` on the card",
    "lora_r": "give the rank that it takes as `rank` on the card",
    "rank": "give the rank that it takes as `rank` on the card",
}


def greeting(dialect: str) -> Case:
    steps = tuple(Step(what, HERE) for what in (CreateModel(seed=None), Measure(), CarriedOut()))
    return Case("a plain call", "training", dialect, ("TRAINING-200",), steps, HERE)


def probe_result(session: TrainingSession, case: Case) -> ProbeResult:
    """Whether a model can be created and evaluated: the last response says why not."""
    if not session.trace.exchanges:
        return ProbeResult("nothing was sent")
    exchange, context = session.trace.exchanges[-1], session.context
    request = f"{exchange.request.method} {exchange.request.path}"
    source = key_source(context.target_key, context.card.key)
    result = result_of(PlainRequest("greeting", request, source, MENDS), exchange, context.listed)
    told = other_encoding(case.dialect, session.trace.exchanges)
    return replace(result, obstacle=f"{result.obstacle}. {told}" if result.obstacle else told) if told else result


def other_encoding(dialect: str, exchanges: Sequence[Exchange]) -> str:
    """What is said of a target that seems to speak the other one of the two dialects of tinker; empty where nothing shows that.

    The two are equal but for evaluations: their request, and the result of their future.
    """
    if dialect not in (TINKER, JSON):
        return ""
    evaluations = [one for one in exchanges if one.request.path in EVALUATIONS]
    if dialect == JSON and any(_in_protobuf(one) for one in evaluations):
        return (
            f"The target answers in protobuf ({CONTENT_TYPE}), which is the dialect {TINKER}: give --dialect {TINKER}"
        )
    last = evaluations[-1].response if evaluations and evaluations[-1] is exchanges[-1] else None
    if last is None or last.status not in REFUSED:
        return ""
    if dialect == JSON:
        return f"The request was sent in JSON: if the target takes it in protobuf alone, give --dialect {TINKER}"
    return f"The request was sent in protobuf, or asked for it: if the target takes JSON alone, give --dialect {JSON}"


def _in_protobuf(exchange: Exchange) -> bool:
    found = exchange.response.header("content-type") if exchange.response else None
    return (found or "").partition(";")[0].strip().lower() == CONTENT_TYPE
