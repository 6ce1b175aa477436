"""Verbs that train and evaluate: forward, forward_backward, an optimizer step, and a measurement of the state of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.training import defects
from rollout_conformance.steps.profiles.training.calls import Meaning
from rollout_conformance.steps.profiles.training.context import TrainingSession
from rollout_conformance.steps.profiles.training.of_model import OfModel
from rollout_conformance.steps.profiles.training.training_data import Number, TrainingData
from rollout_conformance.steps.profiles.training.wire import Call, Members

# The eps of the SDK. A larger one shows in the step of a token that the model holds for improbable: its gradient may be below 1e-8.
ADAM: Mapping[str, Number] = {"beta1": 0.9, "beta2": 0.95, "eps": 1e-12, "weight_decay": 0.0, "grad_clip_norm": 0.0}
SCALED_EPS = 1.0  # so large that the step of Adam grows with the gradient: its scale shows in the first step


@verb(
    "forward_backward",
    short="batch",
    example=("A", "{batch: [A, B], model: b}", "{batch: A, loss: ppo, old: first, ratios: [0.5, 2]}"),
)
@phrase("the client runs forward_backward on the model {model:word} with batch {batch}")
@phrase("the client runs forward_backward on the model {model:word} with batch {batch} as {name:word}")
@phrase(
    "the client runs forward_backward on the model {model:word} with batch {batch}, without earlier gradients",
    accumulate=False,
)
@phrase(
    "the client runs forward_backward on the model {model:word} with batch {batch} as {name:word}, without earlier gradients",
    accumulate=False,
)
@phrase("the client runs forward_backward on the model {model:word} with batch {batch}, all weights 0", weights=(0,))
@phrase(
    "the client runs forward_backward on the model {model:word} with batch {batch}, weights 0.5 and 2 in turns",
    weights=(0.5, 2),
)
@phrase("the client runs forward_backward on the model {model:word} with {defect}")
@dataclass(frozen=True, slots=True)
class ForwardBackward(TrainingData):
    """Compute a loss and add its gradients to those of the model."""

    accumulate: bool = field(default=True, kw_only=True)
    "In the dialect `signal`, whether the gradients are added to earlier ones, or replace them."
    defect: defects.Name = field(default="none", kw_only=True)
    "What is wrong with the request."
    options: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    "More members of the request."

    def call(self, session: TrainingSession, model: str, seq: int) -> tuple[Call, Meaning]:
        data = self.data(session)
        call = session.context.wire.forward_backward(model, seq, data, self.accumulate)
        call.members.update(self.options)
        defects.plant(self.defect, call.members)
        return call, Meaning("forward_backward", self.model, data)


@verb("forward", short="batch", example=("A", "{batch: probe, model: b, name: before}"))
@phrase("the client runs forward on the model {model:word} with batch {batch}")
@phrase("the client runs forward on the model {model:word} with batch {batch} as {name:word}")
@dataclass(frozen=True, slots=True)
class Forward(TrainingData):
    """Compute a loss and logprobs without gradients."""

    defect: defects.Name = field(default="none", kw_only=True)
    "What is wrong with the request."

    def call(self, session: TrainingSession, model: str, seq: int) -> tuple[Call, Meaning]:
        data = self.data(session)
        call = session.context.wire.measure(model, seq, data)
        defects.plant(self.defect, call.members)
        return call, Meaning("forward", self.model, data)


@verb("measure", short="name", example=("before", "{name: after, model: b}"))
@phrase("the client measures the model {model:word} as {name:word}")
@dataclass(frozen=True, slots=True)
class Measure(OfModel):
    """Measure the state of a model: its logprobs of the batch `probe`, or its loss on that batch in the dialect `signal`, which
    replaces its gradients."""

    def call(self, session: TrainingSession, model: str, seq: int) -> tuple[Call, Meaning]:
        data = TrainingData(("probe",)).data(session)
        return session.context.wire.measure(model, seq, data), Meaning("measure", self.model, data)


@verb("optim_step", short="learning_rate", example=("0.01", "{model: b, scaled: true}", "{learning_rate: 0}"))
@phrase("the client takes an optimizer step on the model {model:word}")
@phrase("the client takes an optimizer step on the model {model:word} as {name:word}")
@phrase("the client takes an optimizer step on the model {model:word} with the learning rate {learning_rate:number}")
@dataclass(frozen=True, slots=True)
class OptimStep(OfModel):
    """Update the weights of a model with its gradients."""

    learning_rate: Number | None = None
    "Default: that of the card."
    times: Number = field(default=1, kw_only=True)
    "A factor on the rate."
    default: bool = field(default=False, kw_only=True)
    "Whether no rate is sent, in the dialect `signal`: then it is that of the run."
    scaled: bool = field(default=True, kw_only=True)
    "Whether Adam has an eps of 1, with which its first step shows the scale of the gradients and not only their signs."
    adam: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    "More parameters of Adam."
    options: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    "More members of the request."

    def call(self, session: TrainingSession, model: str, seq: int) -> tuple[Call, Meaning]:
        rate = session.context.card.learning_rate if self.learning_rate is None else self.learning_rate
        eps = {"eps": SCALED_EPS} if self.scaled else {}
        params: Members = {"learning_rate": rate * self.times, **ADAM, **eps, **self.adam}
        call = session.context.wire.optim_step(model, seq, params)
        call.members.update(self.options)
        if self.default:
            call.members.pop("learning_rate", None)
        return call, Meaning("optim_step", self.model)
