"""What is demanded of runs, artifacts and metrics in the dialect `signal`, and of HTTP."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesRejections, ResponseExpectation
from rollout_conformance.steps.profiles.training.responses import TrainingResponse, number
from rollout_conformance.steps.profiles.training.view import TrainingView


@verb("configured", example="{of: created, config: {lora_r: 4}}")
@dataclass(frozen=True, slots=True)
class Configured(ResponseExpectation[TrainingResponse, TrainingView]):
    """The configuration that a run returns has these values."""

    config: Mapping[str, object]
    "Members of `config` with their values."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        found = mapping(response.result.get("config"))
        wrong = {name: found.get(name) for name, value in self.config.items() if found.get(name) != value}
        return Check(not wrong, f"config with {show(dict(self.config))}", f"config with {show(wrong)}")


@verb("visible", short="member", example="{of: created, member: max_seq_length}")
@dataclass(frozen=True, slots=True)
class Visible(ResponseExpectation[TrainingResponse, TrainingView]):
    """An accepted member of a run stands in the configuration that it returns, with the value that is in effect."""

    member: str
    "The member."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        if response.outcome != "done":
            return None
        found = mapping(response.result.get("config")).get(self.member)
        return Check(found is not None, f"config.{self.member}, with the value that is in effect", show(found))


@verb("artifacts", example="{of: listed, modes: [adapter, merged], step: 1}")
@phrase("{of:response} lists the artifacts {modes:names} of the step {step}")
@dataclass(frozen=True, slots=True)
class Artifacts(ResponseExpectation[TrainingResponse, TrainingView]):
    """The list of artifacts has one of each mode, with the step at which it was saved."""

    modes: tuple[str, ...]
    "The modes."
    step: int
    "The step of each."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        found = [(one.get("mode"), one.get("step")) for one in mappings(response.result.get("artifacts"))]
        missing = [mode for mode in self.modes if (mode, self.step) not in found]
        return Check(not missing, f"artifacts of the modes {', '.join(self.modes)} at step {self.step}", f"{found}")


@verb("ordered_steps", short="of", example="metrics")
@phrase("the metrics of {of:response} are in the order of steps")
@dataclass(frozen=True, slots=True)
class OrderedSteps(ResponseExpectation[TrainingResponse, TrainingView]):
    """The metrics are not empty, and their steps do not decrease."""

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        steps = [number(mapping(one).get("step")) for one in listed(response.result.get("metrics"))]
        ok = bool(steps) and all(one <= after for one, after in itertools.pairwise(steps))
        return Check(ok, "metrics whose steps do not decrease", f"steps {steps}")


@verb("explained", short="of", example="[first, second]")
@phrase("{of:responses} is rejected with an explanation")
@phrase("{of:several_responses} are rejected with an explanation")
@dataclass(frozen=True, slots=True)
class Explained(JudgesRejections, ResponseExpectation[TrainingResponse, TrainingView]):
    """A rejection has a JSON object with `error`, `detail` or another usual member for its reason."""

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        ok = response.outcome == "rejected" and response.explains_error
        return Check(ok, "a rejection with `error` or `detail` in a JSON object", response.shown())


@verb("no_foreign_origin", short="of", example="first")
@dataclass(frozen=True, slots=True)
class NoForeignOrigin(JudgesRejections, ResponseExpectation[TrainingResponse, TrainingView]):
    """The origin of the request is not allowed together with credentials."""

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        request = view.trace.exchanges[response.n].request
        allowed, with_credentials = (
            response.header("access-control-allow-origin"),
            response.header("access-control-allow-credentials"),
        )
        wrong = allowed in (request.header("origin"), "*") and (with_credentials or "").lower() == "true"
        return Check(
            not wrong, "the origin is not allowed with credentials", f"{allowed}, credentials {with_credentials}"
        )
