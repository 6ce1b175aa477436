"""What comparisons of numbers decide, and what they leave open: controls, tolerances, freedoms of a server, busy servers."""

import json
from dataclasses import replace
from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Finding, Location
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.training.accounting import Row
from rollout_conformance.steps.profiles.training.arrival import permuted, too_far_apart
from rollout_conformance.steps.profiles.training.card import TrainingCard
from rollout_conformance.steps.profiles.training.cause import cause
from rollout_conformance.steps.profiles.training.context import TrainingContext
from rollout_conformance.steps.profiles.training.expectations import CarriedOut, Rejected
from rollout_conformance.steps.profiles.training.gradient_scale import GradientOfLoss
from rollout_conformance.steps.profiles.training.models import models_in
from rollout_conformance.steps.profiles.training.numeric_expectations import DifferentNumbers, Loss, SameNumbers
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.sampling_expectations import SampledAnew
from rollout_conformance.steps.profiles.training.view import TrainingView

HERE = Location("x.yaml", 1)


def response(name: str, n: int, body: Any, status: int = 200, **more: Any) -> TrainingResponse:
    raw = json.dumps(body).encode()
    return TrainingResponse(name, n, {}, status, body, raw=raw, dialect="tinker-json", **more)


def numbers(name: str, n: int, values: list[float], loss: float = 0.0, **more: Any) -> TrainingResponse:
    body = {"loss_fn_outputs": [{"logprobs": {"data": values}}], "metrics": {"loss:sum": loss}}
    return response(name, n, body, loss="cross_entropy", rows=(Row((1,) * len(values)),), **more)


def view_of(*responses: TrainingResponse, tolerance: Any = "exact", alone: bool = True) -> TrainingView:
    trace = Trace()
    for one in responses:
        n = trace.open(Request("POST", "/api/v1/forward"), to_target=True)
        trace.close(n, Response(one.status or 0, (), one.raw))
    context = TrainingContext(TrainingCard(tolerance=tolerance), None, "tinker-json", "m")
    return TrainingView(trace, Responses.of(list(responses)), context, alone=alone)


def sent_at(n: int, seq: int) -> TrainingResponse:
    """The call with this number, whose request is the exchange n."""
    return replace(response(f"call {n}", n, {}, model="a"), request={"seq_id": seq})


def placed(view: TrainingView, *began: float) -> TrainingView:
    """The same with exchanges that began at these times and ended at once."""
    for n, at in enumerate(began):
        view.trace.exchanges[n] = replace(view.trace.exchanges[n], began=at, ended=at)
    return view


def verdicts(view: TrainingView, expectation: Any) -> list[str]:
    return [type(one).__name__ for one in expectation.judge(view, "TRAINING-001")]


@pytest.mark.parametrize(
    ("second", "control", "tolerance", "found"),
    [
        (-1.0, -2.0, "exact", ["Satisfied"]),
        (-1.001, -2.0, "exact", ["Finding"]),
        (-1.0005, -2.0, "tight", ["Satisfied"]),
        (-1.04, -2.0, "loose", ["Satisfied"]),
        (-1.00005, -1.0000505, "exact", []),  # the control differs too little: nothing is shown
        (-1.001, -1.001, "exact", ["Finding"]),  # what is lost in the second history shows in the first one
        (-1.2, -1.5, "loose", []),
    ],
)
def test_equal_numbers_count_only_where_the_control_differs(
    second: float, control: float, tolerance: str, found: list[str]
) -> None:
    made = [numbers("one", 0, [-1.0]), numbers("two", 1, [second]), numbers("third", 2, [control])]
    view = view_of(*made, tolerance=tolerance)
    assert verdicts(view, SameNumbers(of=("one", "two"), control=("third",))) == found


def test_equal_histories_that_differ_decide_nothing() -> None:
    view = view_of(
        *(
            numbers(name, n, [value])
            for n, (name, value) in enumerate([("one", -1), ("two", -1.5), ("c", -9), ("r", -1.7)])
        )
    )
    assert verdicts(view, SameNumbers(of=("one", "two"), control=("c",), repeats=("two", "r"))) == []


def test_a_finding_names_the_control_that_the_numbers_equal() -> None:
    view = view_of(numbers("added", 0, [-2.0]), numbers("together", 1, [-1.0]), numbers("partly", 2, [-2.0]))
    (found,) = SameNumbers(of=("added", "together"), control=("partly",)).judge(view, "TRAINING-001")
    assert "added equals partly" in str(found)
    (found,) = SameNumbers(of=("together", "added"), control=("partly",)).judge(view, "TRAINING-001")
    assert "added equals partly" in str(found)


@pytest.mark.parametrize(("second", "found"), [(-1.0, ["Finding"]), (-1.00005, []), (-1.5, ["Satisfied"])])
def test_numbers_that_have_to_differ(second: float, found: list[str]) -> None:
    view = view_of(numbers("one", 0, [-1.0]), numbers("two", 1, [second]))
    assert verdicts(view, DifferentNumbers(of=("one", "two"))) == found


def test_a_wrong_loss_is_shown_with_its_equation() -> None:
    view = view_of(numbers("it", 0, [-1.0, -3.0], loss=2.0))
    (found,) = Loss(of=("it",)).judge(view, "TRAINING-009")
    assert "-(1*-1 + 1*-3) = 4" in str(found)
    assert "loss:sum 2 returned; that is the mean over 2 tokens" in str(found)


def case(*expectations: Any) -> Case:
    steps = tuple(Step(one, HERE) for one in expectations)
    return Case("a case", "training", "tinker-json", ("TRAINING-032",), steps, HERE)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_not_judged(status: int) -> None:
    view = view_of(response("it", 0, {"error": "busy"}, status, verb="forward"))
    found = cause(case(CarriedOut(of=("it",))), view)
    assert found is not None
    assert found.finding is None
    assert found.again


def test_a_status_that_the_case_demands_is_judged() -> None:
    view = view_of(response("it", 0, {"error": "limit"}, 429, verb="create_model"))
    assert cause(case(Rejected(of=("it",), statuses=(429,))), view) is None


def test_a_success_without_its_member_is_the_cause() -> None:
    found = cause(case(CarriedOut(of=("it",))), view_of(response("it", 0, {}, 200, verb="forward")))
    assert found is not None
    assert found.finding is not None
    assert found.finding.requirement == "TRAINING-201"


@pytest.mark.parametrize(
    ("seqs", "began", "alone", "why"),
    [
        ((2, 3, 1), (0.0, 0.1, 0.9), True, "0.9 s apart"),
        ((2, 3, 1), (0.0, 0.1, 0.3), True, ""),
        ((2, 3, 1), (0.0, 0.1, 0.9), False, ""),  # it is played once more, alone
        ((1, 2, 3), (0.0, 5.0, 9.0), True, ""),
        ((1, 2, 1), (0.0, 5.0, 9.0), True, ""),  # sent again, not late
    ],
)
def test_a_number_that_came_later_than_servers_wait_says_nothing(
    seqs: tuple[int, ...], began: tuple[float, ...], alone: bool, why: str
) -> None:
    view = placed(view_of(*(sent_at(n, seq) for n, seq in enumerate(seqs)), alone=alone), *began)
    found = too_far_apart(case(), view)
    assert (why in (found or "")) if why else found is None
    assert permuted(view) == (seqs == (2, 3, 1))


def test_a_loss_that_is_missing_is_a_missing_member() -> None:
    it = numbers("it", 0, [-1.0])
    view = view_of(replace(it, body={**it.fields, "metrics": {"tokens:sum": 1.0}}))
    (found,) = Loss(of=("it",)).judge(view, "TRAINING-009")
    assert isinstance(found, Finding)
    assert found.requirement == "TRAINING-201"


def test_models_that_are_not_trained_are_not_created() -> None:
    listed = [{"model_name": "a"}, {"model_name": "b", "trainable": False}, {"model_name": "c", "trainable": True}, "d"]
    assert models_in({"supported_models": listed}) == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("fall", "clipped", "found"),
    [
        (0.1, 0.1, ["Satisfied"]),  # |g| is 10, and 0.001 * 10^2 = 0.1
        (0.2, 0.1, ["Finding"]),  # twice the gradient
        (0.014, 0.1, ["Finding"]),  # a mean over seven tokens
        (0.1, 0.2, ["Finding"]),  # the parts were clipped one by one
        (0.0001, 0.011, []),  # the norm is hardly above the limit
        (9.0, 0.9, []),  # so much of the loss is no longer in proportion
    ],
)
def test_the_scale_of_a_gradient(fall: float, clipped: float, found: list[str]) -> None:
    view = view_of(
        *(numbers(name, n, [-20.0 + by]) for n, (name, by) in enumerate([("o", 0), ("s", fall), ("c", clipped)]))
    )
    assert verdicts(view, GradientOfLoss(of=("o", "s", "c"), rate=0.001, clipped_rate=0.01, limit=1)) == found


@pytest.mark.parametrize(
    ("one", "again", "found"),
    [
        ([[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 4], [5, 6]], ["Finding"]),
        ([[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 4], [5, 7]], ["Satisfied"]),
        ([[1, 2], [1, 2], [5, 6]], [[1, 2], [1, 2], [5, 6]], []),  # so certain that they may be equal by chance
    ],
)
def test_two_requests_without_a_seed(one: list[list[int]], again: list[list[int]], found: list[str]) -> None:
    made = [
        response(name, n, {"sequences": [{"tokens": row} for row in rows]}, verb="sample")
        for n, (name, rows) in enumerate([("one", one), ("again", again)])
    ]
    assert verdicts(view_of(*made), SampledAnew(of=("one", "again"))) == found


@pytest.mark.parametrize("body", [{"request_id": 17}, {"request_id": None}, {}])
def test_an_id_that_is_no_text_is_missing(body: dict[str, Any]) -> None:
    found = cause(case(CarriedOut(of=("it",))), view_of(response("it", 0, body, 200, verb="create_model")))
    assert found is not None
    assert found.finding is not None
    assert found.finding.requirement == "TRAINING-201"
    assert "`request_id` as text" in found.finding.expected
