"""The simplest case of each dialect, and what it shows of a target: a model is created and evaluated once."""

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.probe_result import PlainRequest, ProbeResult, key_source, result_of
from rollout_conformance.steps.profiles.training.context import TrainingSession
from rollout_conformance.steps.profiles.training.expectations import CarriedOut
from rollout_conformance.steps.profiles.training.models import CreateModel
from rollout_conformance.steps.profiles.training.training_steps import Measure

HERE = Location("greeting", 1)
MENDS = {
    "base_model": "name one that it serves with --model, or as `model` on the card",
    "lora_r": "give the rank that it takes as `rank` on the card",
    "rank": "give the rank that it takes as `rank` on the card",
}


def greeting(dialect: str) -> Case:
    steps = tuple(Step(what, HERE) for what in (CreateModel(seed=None), Measure(), CarriedOut()))
    return Case("a plain call", "training", dialect, ("TRAINING-200",), steps, HERE)


def probe_result(session: TrainingSession, case: Case) -> ProbeResult:
    """Whether a model can be created: the last response says why not."""
    if not session.trace.exchanges:
        return ProbeResult("nothing was sent")
    exchange = session.trace.exchanges[-1]
    request = f"{exchange.request.method} {exchange.request.path}"
    source = key_source(session.context.target_key, session.context.card.key)
    return result_of(PlainRequest("greeting", request, source, MENDS), exchange)
