"""A plain HTTP client: how long a response took, absent headers, copies of a request, names of sessions, and why a case ended early."""

import asyncio

import httpx
import pytest

from rollout_conformance.steps.engine.cases import Case, Expectation, Step
from rollout_conformance.steps.engine.findings import Finding, Location, Satisfied, SuiteError
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Request, Trace
from rollout_conformance.steps.http import client_case
from rollout_conformance.steps.http.client_case import HttpContext, HttpView
from rollout_conformance.steps.http.expectations import Elapsed, ErrorObject, NoHeader, Status
from rollout_conformance.steps.http.keys import key_header
from rollout_conformance.steps.http.references import unknown_references
from rollout_conformance.steps.http.requests import Send
from rollout_conformance.steps.http.responses import KeptResponse, Responses

HERE = Location("x.yaml", 1)


def view(*responses: KeptResponse, key: str | None = None) -> HttpView:
    return HttpView(Trace(), Responses.of(responses), HttpContext(Card.model_validate({}), key))


def response(status: int | None = 200, **more: object) -> KeptResponse:
    return KeptResponse("a", 3, {}, status, None, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expectation", "taken", "late", "right"),
    [
        (Elapsed(at_most=2), 1.9, 0.0, True),
        (Elapsed(at_most=2), 2.1, 0.0, False),
        (Elapsed(at_most=2), 2.1, 0.2, None),  # the suite was late: nobody is accused
        (Elapsed(at_most=2), 2.5, 0.2, False),
        (Elapsed(at_least=1), 0.9, 0.0, False),
        (Elapsed(at_least=1), 1.0, 0.0, True),
        (Elapsed(at_least=1, at_most=2), 1.5, 0.0, True),
        (Elapsed(at_most=2), None, 0.0, None),
    ],
)
def test_the_time_of_a_response(expectation: Elapsed, taken: float | None, late: float, right: bool | None) -> None:
    found = list(expectation.judge(view(response(elapsed_s=taken, late_s=late)), "X-1"))
    assert [isinstance(one, Satisfied) for one in found] == ([] if right is None else [right])


def test_a_response_that_is_too_late_is_looked_at_once_more_with_the_machine_to_itself() -> None:
    (slow,) = Elapsed(at_most=1).judge(view(response(elapsed_s=3.0)), "X-1")
    (fast,) = Elapsed(at_least=1).judge(view(response(elapsed_s=0.5)), "X-1")
    assert isinstance(slow, Finding)
    assert isinstance(fast, Finding)
    assert (slow.timing, slow.expected, slow.observed) == (True, "at most 1 s", "3.000 s")
    assert not fast.timing  # a slow machine makes nothing faster


def test_a_time_without_a_bound_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at_least and at_most"):
        Elapsed()


def test_a_header_that_must_be_absent() -> None:
    empty = response(headers=(("server", ""),))
    assert isinstance(next(NoHeader("Server").judge(view(empty), "X-1")), Finding)
    assert list(NoHeader("Via").judge(view(empty), "X-1")) == [Satisfied("X-1")]
    assert list(NoHeader("Via").judge(view(response(None)), "X-1")) == []


@pytest.mark.parametrize(
    ("word", "wrong"),
    [
        ("many", ""),
        ("many#3", ""),
        ("many#4", "of: many#4: the responses to many are many#1 to many#3"),
        ("many#0", "of: many#0: the responses to many are many#1 to many#3"),
        ("many#x", "of: many#x: the responses to many are many#1 to many#3"),
        ("one#1", "of: one#1: the request one is sent once; its response is called one"),
    ],
)
def test_a_copy_that_the_case_does_not_send_is_a_mistake(word: str, wrong: str) -> None:
    steps = [Step(what, HERE) for what in (Send("/", name="many", times=3), Send("/", name="one"), Status(of=(word,)))]
    assert [told for _, told in unknown_references(steps)] == [wrong] * bool(wrong)


async def sent(*actions: Send) -> list[Request]:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=httpx.ByteStream(b"")))
    async with httpx.AsyncClient(transport=transport) as client:
        session: Session = Session("http://x", client, Trace(), 1.0, 0.0)
        session.context = HttpContext(Card.model_validate({}))
        for action in actions:
            await action.perform(session)
    return [exchange.request for exchange in session.trace.exchanges]


def test_a_case_without_a_session_of_its_own_is_given_a_name_that_no_other_has() -> None:
    first, second = asyncio.run(sent(Send("/{session}"), Send("/{session}")))
    (other,) = asyncio.run(sent(Send("/{session}")))
    assert first.path == second.path != other.path
    assert "{" not in first.path
    assert "None" not in first.path


def test_a_context_without_a_key_is_named_with_what_it_lacks() -> None:
    with pytest.raises(SuiteError, match=r"\(NoneType\) has no `card` and `target_key`"):
        key_header(None, "right")


def caused(found: HttpView, *expectations: Expectation) -> tuple[str, bool]:
    case = Case("x", "p", "d", ("X-1",), tuple(Step(one, HERE) for one in expectations), HERE)
    cause = client_case.cause(case, found)
    return (cause.reason, cause.finding is not None) if cause else ("", False)


@pytest.mark.parametrize(
    ("one", "expectations", "reason", "accused"),
    [
        (response(), (), "", False),
        (response(404), (), "404: no body", True),
        (response(404), (Status((404,)),), "", False),
        (response(404), (ErrorObject(),), "", False),
        (response(500), (ErrorObject(),), "500: no body", True),
        (response(500), (Status((404,)),), "", False),
        (response(503), (), "the target returned 503 by itself", False),
        (response(401), (), "the target requires a key (401): give it with --target-key", False),
        (response(None, fault="ConnectError"), (Status((404,)),), "ConnectError", True),
    ],
)
def test_what_a_case_gives_no_reason_for_ends_it(
    one: KeptResponse, expectations: tuple[Expectation, ...], reason: str, accused: bool
) -> None:
    assert caused(view(one), *expectations) == (reason, accused)


@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
def test_a_header_of_a_case_replaces_the_usual_one_in_whatever_case_it_is_written(name: str) -> None:
    (request,) = asyncio.run(sent(Send("/", headers={name: "text/plain"})))
    assert [value for found, value in request.headers if found.lower() == "content-type"] == ["text/plain"]
