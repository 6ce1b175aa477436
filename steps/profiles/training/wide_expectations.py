"""What is demanded of a result with several target tokens at each position."""

from dataclasses import dataclass

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.verbs import verb
from rollout_conformance.steps.http.checks import Check, ComparedResponses
from rollout_conformance.steps.profiles.training.accounting import difference
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.view import TrainingView


@verb("columns", short="of", example="[wide, first_column, second_column]")
@dataclass(frozen=True, slots=True)
class Columns(ComparedResponses[TrainingResponse, TrainingView]):
    """The logprobs of the first response have two dimensions, and its columns are the logprobs of the others, in this order."""

    def compare(self, responses: list[TrainingResponse], view: TrainingView) -> Check | None:
        wide, *columns = responses
        if any(one.outcome != "done" or len(one.logprobs) != len(wide.rows) for one in responses):
            return None
        for n, row in enumerate(wide.rows):
            shape = [len(row.targets) // row.columns, row.columns]
            found = mapping(wide.outputs[n].get("logprobs")).get("shape")
            # The SDK reads a tensor without a shape as one of one dimension.
            if found != shape:
                return Check(False, f"logprobs of datum {n} of the shape {shape}", f"the shape {show(found)}")
            for k, column in enumerate(columns):
                apart = difference(wide.logprobs[n][k :: row.columns], column.logprobs[n])
                if not apart.most <= view.tolerance:
                    expected = (
                        f"column {k} of datum {n} of {wide.name} equals {column.name} (within {view.tolerance:g})"
                    )
                    return Check(False, expected, apart.text)
        return Check(True, "equal columns", "")
