"""What shows the scale of a gradient, which Adam hides.

With a large eps a step is `rate / eps * g`, and the loss falls by `rate / eps * |g|^2`. A step whose gradient was clipped to the norm c makes it fall
by `rate / eps * c * |g|`, whatever the server multiplies gradients with: so |g| is known.
"""

import math
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.verbs import verb
from rollout_conformance.steps.http.checks import Check, ComparedResponses
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.view import TrainingView

ABOVE = 1.2  # the norm has to be above the limit by this factor: else nothing was clipped
SMALL = 0.15  # of the loss: a larger fall is no longer in proportion to the step
SHOWS = 30  # tolerances: a smaller fall is not measured well enough
LEAST, MOST = 0.7, 1.4  # curvature makes the fall smaller than the gradient says


@verb("gradient_of_loss", example="{of: [before, stepped, clipped], rate: 0.001, clipped_rate: 0.01, limit: 1}")
@dataclass(frozen=True, slots=True)
class GradientOfLoss(ComparedResponses[TrainingResponse, TrainingView]):
    """The gradient has the scale of the loss. Three responses of one batch with weights of 1: before a step, after one with a large eps, and
    after such a step with `grad_clip_norm`. Norms of single matrices show on a trained model, all of
    whose matrices have gradients."""

    rate: int | float = field(default=0.001, kw_only=True)
    "The learning rate of the step, divided by its eps."
    clipped_rate: int | float = field(default=0.01, kw_only=True)
    "The same of the step with `grad_clip_norm`."
    limit: int | float = field(default=1, kw_only=True)
    "`grad_clip_norm`."
    provided: tuple[ResponseName, ...] = field(default=(), kw_only=True)
    "Calls that the target may reject: where one was, nothing is judged."

    def compare(self, responses: list[TrainingResponse], view: TrainingView) -> Check | None:
        losses = [-math.fsum(one.numbers) for one in responses]
        if len(losses) != 3 or not all(map(math.isfinite, losses)):
            return None
        if any(one.outcome != "done" for one in view.named(*self.provided)):
            return None
        before, after, after_clipped = losses
        fall, clipped = before - after, before - after_clipped
        norm = clipped / (self.clipped_rate * self.limit)
        wanted = self.rate * norm**2
        least, most = SHOWS * view.tolerance, SMALL * before
        if norm <= ABOVE * self.limit or not (least < clipped < most and least < wanted < most):
            return None
        expected = f"the loss falls by rate * |g|^2 = {self.rate:g} * {norm:.4g}^2 = {wanted:.4g}, where |g| follows from the clipped step"
        times = fall / wanted
        return Check(LEAST <= times <= MOST, expected, f"by {fall:.4g}: the gradient is {times:.3g} times as large")
