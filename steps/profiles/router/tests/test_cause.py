"""What ended a request of a case otherwise than its script explains: a router that accepts no connection is accused of nothing."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Action, Case, Expectation, Step
from rollout_conformance.steps.engine.findings import Cause, Location
from rollout_conformance.steps.engine.http_client import NOT_CONNECTED
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.http.expectations import Status
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.peers.scripted_backends import BackendResponse, BackendScript
from rollout_conformance.steps.profiles.chat.requests import CHAT, ChatRequest
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.backends import BackendsDown, ScriptBackends, StopRouter
from rollout_conformance.steps.profiles.router.card import RouterCard
from rollout_conformance.steps.profiles.router.cause import cause
from rollout_conformance.steps.profiles.router.context import RouterContext

AT = Location("x.yaml", 1)
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello!"}]}
REFUSED = f"{NOT_CONNECTED} 127.0.0.1:9 [Connect call failed]"


def found(
    fault: str | None, *actions: Action, served: int = 1, about: str = "ROUTER-017", status: int = 200
) -> Cause | None:
    """The cause of a case about even shares whose last request ended in this fault, after `served` others were served."""
    trace, kept = Trace(), []
    for n in range(served + 1):
        trace.open(Request("POST", CHAT), to_target=True)
        lost = n == served and fault is not None
        given = status if n == served else 200
        trace.close(n, None if lost else Response(given), fault if lost else None)
        answer: Any = None if lost else {"choices": []}
        kept.append(ChatResponse(f"r{n}", n, BODY, None if lost else given, answer))
    script = BackendScript("rc-00000000-1x", trace, (BackendResponse(),))
    context = RouterContext("m", None, None, RouterCard(), 4096)
    parts: list[Action | Expectation] = [ScriptBackends(), ChatRequest(user="Hello!"), *actions, Status()]
    steps = tuple(Step(what, AT) for what in parts)
    case = Case("requests are spread", "router", "openai", (about,), steps, AT)
    return cause(case, CaseView(trace, Responses.of(kept), context, extra={"scripts": [script]}))


@pytest.mark.parametrize("served", [0, 1, 5])
def test_a_request_that_never_reached_the_router_accuses_nobody(served: int) -> None:
    """What its backends did not receive says nothing of how the router spreads requests; the case is played again alone."""
    told = found(REFUSED, served=served)
    assert told is not None
    assert (told.reason, told.finding, told.again) == ("the router accepted no connection", None, True)
    assert told.since == served


def test_a_connection_that_the_router_closes_is_a_finding() -> None:
    told = found("the connection was closed without an answer")
    assert told is not None
    assert told.finding is not None
    assert "closed without an answer" in told.finding.observed


@pytest.mark.parametrize(
    ("headers", "accused"),
    [
        ({}, "ROUTER-001"),
        ({"Accept-Encoding": "gzip"}, "ROUTER-001"),
        ({"Upgrade": "h2c"}, "ROUTER-053"),
    ],
)
def test_a_request_with_headers_of_a_connection_accuses_what_the_case_is_about(
    headers: dict[str, str], accused: str
) -> None:
    """A router that refuses an upgrade forwards the members of all other requests; one that fails on every stream does so without gzip."""
    told = found("the connection was closed without an answer", ChatRequest(headers=headers), about="ROUTER-053")
    assert told is not None
    assert told.finding is not None
    assert told.finding.requirement == accused


def test_a_router_that_the_case_stops_accepts_no_connection_by_right() -> None:
    told = found(REFUSED, StopRouter())
    assert told is None or told.reason != "the router accepted no connection"


def test_requests_that_were_served_have_no_cause() -> None:
    assert found(None) is None


@pytest.mark.parametrize(("status", "starved"), [(503, True), (504, True), (500, False)])
def test_a_router_that_finds_no_backend_may_have_waited_for_a_cpu(status: int, starved: bool) -> None:
    """It connects to its backends within limits of its own."""
    told = found(None, BackendsDown(("c",)), status=status)
    assert told is not None
    assert told.finding is not None
    assert told.starved == starved
