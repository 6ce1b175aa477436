"""Mistakes in the steps of a case about a training API that show before it is played."""

from collections.abc import Iterator, Sequence

from rollout_conformance.steps.engine.cases import Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.http.references import unknown_references
from rollout_conformance.steps.profiles.training.models import CreateModel
from rollout_conformance.steps.profiles.training.of_model import OfModel

Mistake = tuple[Location | None, str]
NONE = "no model was created before this step; write `create_model` first (in a feature: When the client creates the model a)"


def mistakes(steps: Sequence[Step]) -> Iterator[Mistake]:
    yield from _uncreated(steps)
    yield from unknown_references(steps)


def _uncreated(steps: Sequence[Step]) -> Iterator[Mistake]:
    """Calls about a model that the case does not have: it could not continue, whatever the target is. That there is none yet is said once."""
    created: list[str] = []
    for step in steps:
        if isinstance(step.what, CreateModel):
            created.append(step.what.model)
        elif isinstance(step.what, OfModel) and step.what.model not in created:
            yield step.at, unknown_name("model", step.what.model, created) if created else NONE
            created.append(step.what.model)
