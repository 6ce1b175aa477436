"""What a stream that does not end is accused of: before its terminal, and after it."""

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import NotJson, Request, Trace
from rollout_conformance.steps.http.responses import KeptResponse, Responses
from rollout_conformance.steps.profiles.worker.cause import cause
from rollout_conformance.steps.profiles.worker.context import WorkerContext
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.events import LENGTH, End, Event, Failure, Tokens, Transcript
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

HERE = Location("case.yaml", 1)
TOKEN, END = Tokens(0, "a"), End(1, LENGTH, "limit", tokens=1)
OPEN = "no end within 20 s"


def found(events: tuple[Event, ...], fault: str) -> tuple[str, str, str]:
    dialect = DIALECTS["llamacpp"]
    job = JobResponse(
        "it", 0, {}, 200, None, fault=fault, spec=JobSpec("j", "Hello!"), dialect=dialect, transcript=Transcript(events)
    )
    context = WorkerContext(Card(), None, dialect)
    trace = Trace()
    trace.open(Request("POST", "/completion"), to_target=True, rollout="-")
    view = WorkerView(trace, Responses.of([job]), context, worker=context)
    reason = cause(Case("a case", "worker", "llamacpp", ("WORKER-200",), (), HERE), view)
    assert reason is not None
    assert reason.finding is not None
    return reason.finding.requirement, reason.finding.expected, reason.finding.observed


def test_a_stream_that_stays_open_after_its_terminal_is_said_to_be_open() -> None:
    requirement, expected, observed = found((TOKEN, END), OPEN)
    assert requirement == "WORKER-005"
    assert expected == "the end of the response after its terminal"
    assert observed == f"the job ended (length), and the response has {OPEN}"


@pytest.mark.parametrize("fault", [OPEN, "the connection was reset"])
def test_a_stream_without_a_terminal_has_none(fault: str) -> None:
    assert found((TOKEN,), fault) == ("WORKER-005", "a stream with a terminal", fault)


def test_a_job_without_tokens_is_not_carried_out() -> None:
    assert found((), OPEN)[0] == "WORKER-200"


def test_a_request_without_a_response_shows_no_internals() -> None:
    dialect = DIALECTS["orcd"]
    trace = Trace()
    n = trace.open(Request("POST", "/execute"), to_target=True, rollout="-")
    trace.close(n, None, "the connection was closed without an answer")
    lost = KeptResponse("it", n, {}, None, NotJson("it is empty"), fault="the connection was closed without an answer")
    context = WorkerContext(Card(), None, dialect)
    view = WorkerView(trace, Responses.of([lost]), context, worker=context)
    reason = cause(Case("a case", "worker", "orcd", ("WORKER-203",), (), HERE), view)
    assert reason is not None
    assert reason.finding is not None
    assert reason.finding.requirement == "WORKER-034"


@pytest.mark.parametrize(
    ("code", "is_late"),
    [
        (400, True),
        (500, False),
        (503, True),
        ("INVALID_REQUEST", True),
        ("generation", False),
        ("INFERENCE_FAILED", False),
        (None, True),
    ],
)
def test_an_error_event_of_a_job_that_failed_is_no_late_rejection(code: object, is_late: bool) -> None:
    dialect = DIALECTS["tgi"]
    transcript = Transcript((Failure(0, code, "no"),))
    job = JobResponse("it", 0, {}, 200, None, spec=JobSpec("j", "Hello!"), dialect=dialect, transcript=transcript)
    assert job.is_rejected_late is is_late
