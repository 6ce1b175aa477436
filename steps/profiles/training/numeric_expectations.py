"""What is demanded of the numbers that a training API returns. Each comparison has a control: numbers that must differ by more than ten
tolerances. Where the control does not differ, the numbers could not have shown a mistake, and nothing is judged."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.findings import Evidence, SuiteError
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ComparedResponses, JudgesRejections, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.training.accounting import (
    CONFIGURED,
    CONTROL,
    Account,
    account,
    difference,
    explained,
)
from rollout_conformance.steps.profiles.training.arrival import permuted
from rollout_conformance.steps.profiles.training.card import TrainingCard
from rollout_conformance.steps.profiles.training.expectations import RESULT_MEMBERS
from rollout_conformance.steps.profiles.training.responses import SIGNAL, TrainingResponse
from rollout_conformance.steps.profiles.training.view import TrainingView

Responses = list[TrainingResponse]


def _numbers(response: TrainingResponse, order: tuple[int, ...]) -> list[float]:
    """The numbers of a response; only these rows of them where some are named."""
    if not order:
        return response.numbers
    rows = response.logprobs
    return [value for n in order if n < len(rows) for value in rows[n]]


def _finite(*lists: list[float]) -> bool:
    return all(values and all(map(math.isfinite, values)) for values in lists)


@verb(
    "same_numbers",
    short="of",
    example=("[first, second]", "{of: [together, apart], control: [one]}", "{of: [whole, part], rows: [1]}"),
)
@phrase("the numbers of {of:names} are equal, unlike those of {control:names}")
@phrase(
    "the numbers of {of:names} are equal, unlike those of {control:names}, where {repeats:names} are equal",
    example={"repeats": "one and again"},
)
@phrase("the numbers of {of:names} are equal")
@dataclass(frozen=True, slots=True)
class SameNumbers(ComparedResponses[TrainingResponse, TrainingView]):
    """The logprobs (the losses, in the dialect `signal`) of these responses are equal within the tolerance of the card."""

    control: tuple[ResponseName, ...] = field(default=(), kw_only=True)
    "Responses whose numbers must differ from the first or the second ones by more than ten tolerances; else nothing is judged."
    repeats: tuple[ResponseName, ...] = field(default=(), kw_only=True)
    "Responses of two equal histories: where even they differ, nothing is judged."
    rows: tuple[int, ...] = field(default=(), kw_only=True)
    "The data of the first response, from 0, that those of the second are, in this order."
    leading: int = field(default=0, kw_only=True)
    "Only so many of the first numbers of each response are compared; 0: all."
    tolerances: int = field(default=1, kw_only=True)
    "How many tolerances the numbers may be apart: more than one after several steps."
    provided: tuple[ResponseName, ...] = field(default=(), kw_only=True)
    "Calls that the target may reject: where one was, nothing is judged."

    def compare(self, responses: Responses, view: TrainingView) -> Check | None:
        if len(responses) < 2 or any(one.outcome != "done" for one in view.named(*self.provided)):
            return None
        allowed = self.tolerances * view.tolerance
        lists = [self._led(_numbers(one, self.rows if n == 0 else ())) for n, one in enumerate(responses)]
        if not _finite(*lists) or not self._can_tell(view, lists[:2], allowed):
            return None
        if not self.leading and self._compares_other_data(responses):
            raise SuiteError(
                f"{' and '.join(one.name for one in responses)} have different data; `rows` names those that are equal"
            )
        found = [difference(one, lists[1]) for one in lists[:1] + lists[2:]]
        worst = max(found, key=lambda one: one.most)
        names = " and ".join(one.name for one in responses)
        expected = f"equal numbers of {names} (within {allowed:g})"
        return Check(
            worst.most <= allowed, expected, f"{worst.text}{self._nearer(view, responses)}", timing=permuted(view)
        )

    def _led(self, numbers: list[float]) -> list[float]:
        return numbers[: self.leading] if self.leading else numbers

    def _compares_other_data(self, responses: Responses) -> bool:
        """Whether the case compares numbers of different target tokens."""
        targets = [[row.targets for row in one.rows] for one in responses]
        if self.rows:
            targets[0] = [targets[0][n] for n in self.rows if n < len(targets[0])]
        return all(targets) and any(one != targets[0] for one in targets)

    def _can_tell(self, view: TrainingView, compared: list[list[float]], allowed: float) -> bool:
        """Whether the controls differ, and equal histories lead to equal numbers. A control that equals one of the two that are compared, and
        not the other, shows which one is wrong."""
        controls = [self._led(one.numbers) for one in view.named(*self.control)]
        if self.control and not controls:
            return False
        if any(all(difference(one, other).most <= CONTROL * allowed for other in compared) for one in controls):
            return False
        repeats = [one.numbers for one in view.named(*self.repeats)]
        return all(difference(one, repeats[0]).most <= allowed for one in repeats[1:])

    def _nearer(self, view: TrainingView, responses: Responses) -> str:
        """Which control the wrong numbers equal, if any: it shows what was lost."""
        for control in view.named(*self.control):
            for one in responses[:2]:
                if not (self.rows or self.leading) and difference(one.numbers, control.numbers).most <= view.tolerance:
                    return f"; {one.name} equals {control.name}"
        return ""


@verb("different_numbers", short="of", example="[before, after]")
@phrase("the numbers of {of:names} differ")
@dataclass(frozen=True, slots=True)
class DifferentNumbers(ComparedResponses[TrainingResponse, TrainingView]):
    """The numbers of these responses differ by more than ten tolerances. A smaller difference decides nothing, none is a finding."""

    repeats: tuple[ResponseName, ...] = field(default=(), kw_only=True)
    "Responses of two equal histories: where even they differ, nothing is judged."

    def compare(self, responses: Responses, view: TrainingView) -> Check | None:
        if len(responses) < 2 or not _finite(*(one.numbers for one in responses)):
            return None
        repeats = [one.numbers for one in view.named(*self.repeats)]
        if any(difference(one, repeats[0]).most > view.tolerance for one in repeats[1:]):
            return None
        if all(one.verb == "sample" and not any(one.numbers) for one in responses[:2]):
            return None  # greedy tokens that are reported as certain
        found = difference(responses[0].numbers, responses[1].numbers)
        names = " and ".join(one.name for one in responses)
        if view.tolerance < found.most <= CONTROL * view.tolerance:
            return None
        return Check(found.most > view.tolerance, f"different numbers of {names}", found.text)


@verb("effect_or_rejection", example="{of: [with, without], option: step}")
@phrase("the option of {option:word} has an effect on {of:names}, or is rejected")
@dataclass(frozen=True, slots=True)
class EffectOrRejection(JudgesRejections, DifferentNumbers):
    """An option was rejected as a mistake of the user, or the numbers with it differ from those without it."""

    option: ResponseName = field(default="option", kw_only=True)
    "The response to the call with the option."

    def judge(self, view: TrainingView, requirement: str) -> Iterator[Evidence]:
        for option in view.named(self.option):
            found = self._of(option, view)
            if found is not None:
                yield found.evidence(requirement, option, *view.named(*self.of))

    def _of(self, option: TrainingResponse, view: TrainingView) -> Check | None:
        expected = "the option has an effect, or is rejected as a mistake of the user"
        if option.outcome != "done":
            return Check(option.outcome == "rejected", expected, option.came_to())
        found = self.compare(view.named(*self.of), view)
        return found if found is None or found.ok else Check(False, expected, f"no effect: {found.observed}")


def _config(response: TrainingResponse, card: TrainingCard) -> dict[str, float] | None:
    """The configuration of the loss: as it was sent, else the documented default. None where neither is known."""
    config = dict(response.config)
    clip = {"ppo": card.ppo_clip, "cispo": card.cispo_clip}.get(response.loss)
    if clip is not None:
        config = {"clip_low_threshold": clip[0], "clip_high_threshold": clip[1], **config}
    if response.loss == "dro" and card.dro_beta is not None:
        config = {"beta": card.dro_beta, **config}
    return config if all(name in config for name in CONFIGURED.get(response.loss, ())) else None


def computed(response: TrainingResponse, card: TrainingCard) -> Account | None:
    """The loss of a response as it is computed here, from its logprobs; None where a number for it is missing."""
    config = _config(response, card)
    if config is None or not response.rows or not _finite(response.numbers):
        return None
    try:
        return account(response.loss, response.rows, response.logprobs, config)
    except ValueError:
        return None


@verb("loss", short="of", example=("it", "[first, second]"))
@phrase("the loss of {of:response} is the one computed from its logprobs")
@phrase("the losses of {of:names} are those computed from their logprobs")
@dataclass(frozen=True, slots=True)
class Loss(ResponseExpectation[TrainingResponse, TrainingView]):
    """`loss:sum` is the sum that follows from the returned logprobs, the weights, old logprobs and advantages that were sent, and the
    configuration of the loss."""

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        found = computed(response, view.context.card)
        if found is None:
            return None
        value, allowed = response.loss_value, view.tolerance * found.scale
        if value is None:
            observed = f"no loss:sum in {response.metrics!r}"
            return Check(False, f"loss:sum {found.total:.6g}", observed, requirement=RESULT_MEMBERS)
        ok = abs(value - found.total) <= allowed
        told = explained(value, found, view.tolerance)
        return Check(ok, f"{found.equation()} (within {allowed:.2g})", f"loss:sum {value:.6g} returned{told}")


@verb("loss_is", short="number", example=("0", "{of: second, times: 2, first: first}"))
@phrase("the loss of {of:response} is {number:number}")
@phrase("the loss of {of:response} is {times:number} times that of {first:response}")
@dataclass(frozen=True, slots=True)
class LossIs(ResponseExpectation[TrainingResponse, TrainingView]):
    """The loss is a number, or a multiple of the loss of another response."""

    number: int | float | None = None
    "The number."
    times: int | float | None = None
    "The factor."
    first: ResponseName = "first"
    "The response whose loss is multiplied."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        value = response.loss_value
        other = next((one.loss_value for one in view.named(self.first)), None)
        wanted = self.number if self.times is None else None if other is None else self.times * other
        if wanted is None or value is None or (self.times is not None and abs(wanted) <= CONTROL * view.tolerance):
            return None
        shown = f"{wanted:.6g}" if self.times is None else f"{self.times:g} * {other:.6g} = {wanted:.6g}"
        allowed = view.tolerance * max(1.0, abs(wanted))
        return Check(abs(value - wanted) <= allowed, f"loss {shown}", f"loss {value:.6g}")


@verb("minus_sum_of_advantages", short="of", example="it")
@phrase("the loss of {of:response} is minus the sum of its advantages")
@dataclass(frozen=True, slots=True)
class MinusSumOfAdvantages(ResponseExpectation[TrainingResponse, TrainingView]):
    """With the logprobs that the target itself returned as the old ones every ratio is 1, and the loss is minus the sum of the advantages."""

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        advantages = [one for row in response.rows for one in row.advantages]
        value, wanted = response.loss_value, -math.fsum(advantages)
        if value is None or not advantages:
            return None
        allowed = view.tolerance * max(1.0, math.fsum(map(abs, advantages)))
        sum_of = " + ".join(f"{one:g}" for one in advantages)
        return Check(abs(value - wanted) <= allowed, f"-({sum_of}) = {wanted:.6g}", f"loss:sum {value:.6g} returned")


@verb("loss_falls", short="of", example="[first, second, third]")
@phrase("the losses of {of:names} fall")
@dataclass(frozen=True, slots=True)
class LossFalls(ComparedResponses[TrainingResponse, TrainingView]):
    """The last of these losses is below the first."""

    def compare(self, responses: Responses, view: TrainingView) -> Check | None:
        values = [one.loss_value for one in responses]
        if len(values) < 2 or values[0] is None or values[-1] is None:
            return None
        shown = ", ".join("none" if one is None else f"{one:.6g}" for one in values)
        return Check(values[-1] < values[0], "a falling loss", shown)


@verb("finite_loss", short="of", example="it")
@phrase("the loss of {of:responses} is a finite number")
@dataclass(frozen=True, slots=True)
class FiniteLoss(ResponseExpectation[TrainingResponse, TrainingView]):
    """The loss is a finite number; the norm of the gradient too, and not negative, where there is one."""

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        value = response.loss_value
        ok = value is not None and math.isfinite(value)
        norm = response.result.get("grad_norm") if response.dialect == SIGNAL else None
        good = norm is None or (isinstance(norm, int | float) and math.isfinite(norm) and norm >= 0)
        return Check(ok and good, "a finite loss, grad_norm null or at least 0", f"loss {value}, grad_norm {norm}")
