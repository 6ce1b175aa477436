"""Right routers pass whatever they do besides, with any number of cases in flight; and what is wrong is found in spite of all that is
forgiven."""

import asyncio
from collections.abc import Iterable

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Judgement, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.http.requests import Send
from rollout_conformance.steps.profiles.router.card import RouterCard
from rollout_conformance.steps.profiles.router.tests.plain import KEY
from rollout_conformance.steps.run_setup import RunOptions, ready

TARGET = "app:rollout_conformance.steps.profiles.router.tests.plain:create_app"
CASES = (
    "a 400 of a backend is forwarded",
    "after a 429 the router forwards it or fails over",
    "a request fails over after a 500",
    "a request fails over after a connection reset",
    "a stream fails over after a 503",
    "a stream whose backend resets the connection is recognisable as incomplete",
    "an unsupported method is rejected with 405 and Allow",
    "a backend that always fails costs no request",
    "an unknown path has a 404",
    "the health endpoint needs no API key",
    "no API key of a client reaches a backend",
    "the backend receives tools and tool calls unchanged",
    "the client receives every member of a chunk",
    "the backend receives every member of a chat request",
    "the client receives every member of a response",
    "the client receives an error when every backend returns 500",
    "the client receives an error when every backend resets the connection",
    "Numbers of a request are forwarded unchanged",
    "A backend is used again after a single failure",
    "Twenty concurrent requests are forwarded once each",
)

PATIENCE_S = RouterCard().patience_s


def played(
    ways: str,
    jobs: int = 8,
    names: Iterable[str] = CASES,
    health: str | None = "/healthz/live",
    patience_s: float = PATIENCE_S,
) -> list[Outcome]:
    env = {"PLAIN": ways, "PLAIN_ENGINES": "{backend_a},{backend_b}"}
    health = health if "other_health" in ways else None
    headers = {"x-config": "two engines"}
    card = RouterCard(
        key=KEY,
        settle_s=0,
        capabilities=["timeout"],
        env=env,
        health=health,
        headers=headers,
        patience_s=patience_s,
    )
    return asyncio.run(_played(RunOptions("router", target=TARGET, described=card, jobs=jobs), set(names)))


async def _played(request: RunOptions, names: set[str]) -> list[Outcome]:
    async with ready(request) as run:
        cases = [case for case in case_catalog.every("router") if _plain(case) in names]
        assert len(cases) == len(names)
        return await asyncio.gather(*(run.runner.play(case) for case in run.ordered(run.applicable(cases))))


def _plain(case: Case) -> str:
    return case.name.partition("[")[0]


def unlike_pass(outcomes: Iterable[Outcome]) -> list[tuple[str, Judgement]]:
    return [(one.case.name, one.judgement) for one in outcomes if one.judgement.verdict is not Verdict.PASS]


def broken(outcomes: Iterable[Outcome]) -> set[str]:
    return {f.requirement for one in outcomes if one.judgement.verdict is Verdict.FAIL for f in one.judgement.findings}


@pytest.mark.parametrize("jobs", [1, 8, 32])
def test_an_engine_that_rests_changes_no_verdict(jobs: int) -> None:
    assert unlike_pass(played("rests_3_5", jobs)) == []


@pytest.mark.parametrize(
    "ways",
    [
        "",
        "retries_429 detail",
        "retries_same rests_1_5",
        "own_key plain_405 other_health recodes wants_header",
        "drops_null",
        "forwarded_for as_it_is",
    ],
)
def test_a_router_may_be_otherwise(ways: str) -> None:
    assert unlike_pass(played(ways)) == []


def test_a_router_may_learn_of_its_engines_after_its_start() -> None:
    """Its health check succeeds before; the case has an instance of its own."""
    assert unlike_pass(played("learns_late", names=["A backend is used again after a single failure"])) == []


def test_a_path_of_health_that_nobody_named_is_not_judged() -> None:
    (outcome,) = played("other_health", names=["the health endpoint needs no API key"], health=None)
    assert outcome.judgement.verdict is Verdict.SKIP
    assert "the target card names the health path of the router" in outcome.judgement.reason


def test_a_router_that_is_full_breaks_nothing() -> None:
    outcomes = played("places_4", 32)
    assert broken(outcomes) == set()
    full = [one for one in outcomes if one.judgement.verdict is Verdict.INCONCLUSIVE]
    assert [one.case.name for one in full] == ["Twenty concurrent requests are forwarded once each"]
    assert full[0].judgement.reason == "the router returned 429 without sending the request to a backend"


@pytest.mark.parametrize(
    ("ways", "requirements"),
    [
        ("no_failover", {"ROUTER-003"}),
        ("retries_4xx refuses_tools rests_3_5", {"ROUTER-001", "ROUTER-004"}),
        ("fails_500 done_invented rests_3_5", {"ROUTER-005", "ROUTER-007"}),
        ("leaks_key drops_unknown loses_event", {"ROUTER-001", "ROUTER-015", "ROUTER-052"}),
    ],
)
def test_defects_are_found(ways: str, requirements: set[str]) -> None:
    assert requirements <= broken(played(ways))


def test_a_failure_with_status_200_is_no_completion_whose_members_were_lost() -> None:
    accused = broken(played("loses_status"))
    assert {"ROUTER-003", "ROUTER-004", "ROUTER-005"} <= accused
    assert "ROUTER-002" not in accused


UNFINISHED = (
    "truncated responses of all backends are an error, or break off",
    "a whole response that stops after its headers does not last forever",
    "a streamed response that stops after its headers does not last forever",
    "responses of all backends that stop after their headers are an error, or break off",
)


@pytest.mark.parametrize("ways", ["", "streams_through"])
def test_a_response_that_a_router_has_begun_to_forward_may_break_off(ways: str) -> None:
    assert unlike_pass(played(ways, names=UNFINISHED)) == []


def test_a_router_that_reads_no_body_forwards_what_is_no_json() -> None:
    assert unlike_pass(played("reads_no_body", names=["error responses have the length of their body"])) == []


def test_a_router_may_read_the_body_before_the_key() -> None:
    names = ("requests without a valid API key do not reach a backend", "rejected requests do not reach a backend")
    assert unlike_pass(played("body_before_key", names=names)) == []


def test_each_body_that_a_router_may_forward_names_its_case() -> None:
    """Otherwise the backends do not know whose it is, and answer it as any other: the router seems to have failed over without it."""
    given = [(case, step.what) for case in case_catalog.every("router") for step in case.steps]
    sent = [(case, one) for case, one in given if isinstance(one, Send) and one.method == "POST" and one.raw]
    forwarded = [(case.name, one.raw) for case, one in sent if one.path == "/v1/chat/completions"]
    assert forwarded
    assert [(name, raw) for name, raw in forwarded if "{session}" not in raw] == []


def test_a_response_that_ends_in_order_hides_that_it_was_truncated() -> None:
    assert broken(played("streams_through ends_in_order", names=UNFINISHED)) == {"ROUTER-005", "ROUTER-006"}


def test_a_response_that_never_ends_is_no_response_that_breaks_off() -> None:
    assert broken(played("streams_through waits_long", names=UNFINISHED)) == {"ROUTER-006"}


@pytest.mark.parametrize(("ways", "requirements"), [("", set()), ("stays_open", {"ROUTER-007"})])
def test_a_stream_does_not_stay_open_when_its_backend_has_closed_the_connection(
    ways: str, requirements: set[str]
) -> None:
    """http-proxy of Node.js leaves it open: the client waits until it times out."""
    name = "a stream whose backend resets the connection is recognisable as incomplete"
    assert broken(played(ways, names=[name], patience_s=1)) == requirements


def test_without_failover_nothing_is_said_of_the_second_backend() -> None:
    name = "A 400 of the second backend is forwarded after the first backend has failed"
    assert broken(played("no_failover as_it_is", names=[name])) == {"ROUTER-003"}


def test_one_cause_is_one_finding() -> None:
    """A second attempt without the body: whatever the client receives then is not a response to its request."""
    outcomes = played("empty_retry", names=[name for name in CASES if "fails over after" in name])
    expected = {finding.expected for one in outcomes for finding in one.judgement.findings}
    assert broken(outcomes) == {"ROUTER-003"}
    assert expected == {"the same request at the second backend"}
