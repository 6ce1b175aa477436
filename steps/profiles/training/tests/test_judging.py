"""What comparisons of numbers decide, and what they leave open: controls, tolerances, freedoms of a server, busy servers."""

import json
from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.profiles.training.accounting import Row
from rollout_conformance.steps.profiles.training.card import TrainingCard
from rollout_conformance.steps.profiles.training.cause import cause
from rollout_conformance.steps.profiles.training.context import TrainingContext
from rollout_conformance.steps.profiles.training.expectations import CarriedOut, Rejected
from rollout_conformance.steps.profiles.training.numeric_expectations import DifferentNumbers, Loss, SameNumbers
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.view import TrainingView

HERE = Location("x.yaml", 1)


def response(name: str, n: int, body: Any, status: int = 200, **more: Any) -> TrainingResponse:
    raw = json.dumps(body).encode()
    return TrainingResponse(name, n, {}, status, body, raw=raw, dialect="tinker-json", **more)


def numbers(name: str, n: int, values: list[float], loss: float = 0.0, **more: Any) -> TrainingResponse:
    body = {"loss_fn_outputs": [{"logprobs": {"data": values}}], "metrics": {"loss:sum": loss}}
    return response(name, n, body, loss="cross_entropy", rows=(Row((1,) * len(values)),), **more)


def view_of(*responses: TrainingResponse, tolerance: Any = "exact") -> TrainingView:
    trace = Trace()
    for one in responses:
        n = trace.open(Request("POST", "/api/v1/forward"), to_target=True)
        trace.close(n, Response(one.status or 0, (), one.raw))
    context = TrainingContext(TrainingCard(tolerance=tolerance), None, "tinker-json", "m")
    return TrainingView(trace, Responses.of(list(responses)), context)


def verdicts(view: TrainingView, expectation: Any) -> list[str]:
    return [type(one).__name__ for one in expectation.judge(view, "TRAINING-001")]


@pytest.mark.parametrize(
    ("second", "control", "tolerance", "found"),
    [
        (-1.0, -2.0, "exact", ["Satisfied"]),
        (-1.001, -2.0, "exact", ["Finding"]),
        (-1.0005, -2.0, "tight", ["Satisfied"]),
        (-1.04, -2.0, "loose", ["Satisfied"]),
        (-1.001, -1.0010005, "exact", []),  # the control differs too little: nothing is shown
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
