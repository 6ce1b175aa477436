"""Many cases on one loop: how many at once, what one may do to the others, and what becomes of one that cannot be played. Time is virtual."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from rollout_conformance.steps.engine import runner as runners
from rollout_conformance.steps.engine.cases import Action, Case, Expectation, Step
from rollout_conformance.steps.engine.findings import (
    Cause,
    Evidence,
    Finding,
    Judgement,
    Location,
    Satisfied,
    SuiteError,
    Verdict,
)
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.runner import Options, Runner
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.tests import virtual_time

AT = Location("case.yaml", 1)
OPTIONS = Options("http://127.0.0.1:1", Card(patience_s=2.0, settle_s=0.1), jobs=3)


@dataclass(frozen=True)
class Do:
    """An action that is any coroutine."""

    work: Callable[[Session], Coroutine[Any, Any, None]]
    copies: int = 1

    async def perform(self, session: Session) -> None:
        await self.work(session)


@dataclass(frozen=True)
class Expect:
    """An expectation with its evidence."""

    evidence: tuple[Evidence, ...] = (Satisfied("R-1"),)

    def judge(self, view: Any, requirement: str) -> Iterable[Evidence]:
        return self.evidence


@dataclass(frozen=True)
class Profile:
    """A profile of one requirement, with no invariants, whose view is the session itself."""

    role: str = "client"
    levels: Mapping[str, str] = field(default_factory=lambda: {"R-1": "must"})
    by_invariants: frozenset[str] = frozenset()
    replaces_duplicates: frozenset[str] = frozenset()
    masks_other_findings: frozenset[str] = frozenset()
    at_any_level: frozenset[str] = frozenset()
    read: Callable[[Session, Case], Session] = lambda session, case: session
    cause: Callable[[Case, Any], Cause | None] = lambda case, view: None
    inconclusive_reason: Callable[[Case, Any], str | None] = lambda case, view: None
    disturbs: Callable[[Case], bool] = lambda case: "disturbs" in case.tags
    width: Callable[[Case], int] = lambda case: sum(getattr(step.what, "copies", 1) for step in case.actions)
    subject: Callable[[Action | Expectation], str] = lambda what: ""

    def dialects_of(self, requirement: str) -> tuple[str, ...]:
        return ("sync",)

    def checked(self, view: Any) -> Iterable[Evidence]:
        return ()


class Peers:
    """Peers of a target that is never changed by a case, and has no streams."""

    def context(self, case: Case) -> object:
        return None

    def lacks(self, case: Case) -> str | None:
        return "the target declares no streams" if "streams" in case.needs else None

    async def recovered(self, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool:
        return True


def runner(options: Options = OPTIONS) -> Runner:
    return Runner(options, Profile(), Peers(), lambda one: f"run --case {one.name}")


def case(name: str, action: Do, *tags: str, expect: Expect | None = None, **members: Any) -> Case:
    steps = (Step(action, AT), Step(expect or Expect(), AT))
    return Case(name, "rollout", "sync", ("R-1",), steps, AT, frozenset(tags), **members)


def played(*cases: Case) -> list[Outcome]:
    """The outcomes of cases that are all begun at once."""

    async def main() -> list[Outcome]:
        async with runner() as judging:
            return await asyncio.gather(*(judging.play(one) for one in cases))

    return virtual_time.run(main())


class Gauge:
    """How many cases act at the same time."""

    def __init__(self) -> None:
        self.acting: list[str] = []
        self.seen: list[list[str]] = []

    def case(self, name: str, *tags: str, copies: int = 1) -> Case:
        async def act(session: Session) -> None:
            self.acting.append(name)
            self.seen.append(list(self.acting))
            session.touch()
            await asyncio.sleep(1)
            self.acting.remove(name)

        return case(name, Do(act, copies), *tags)


async def nothing(session: Session) -> None:
    session.touch()


def test_no_more_cases_act_at_once_than_jobs() -> None:
    gauge = Gauge()
    outcomes = played(*(gauge.case(str(n)) for n in range(10)))
    assert max(map(len, gauge.seen)) == OPTIONS.jobs
    assert {outcome.judgement.verdict for outcome in outcomes} == {Verdict.PASS}


def test_a_case_of_several_rollouts_takes_as_many_slots() -> None:
    gauge = Gauge()
    played(gauge.case("two", copies=2), gauge.case("also two", copies=2), gauge.case("one"))
    assert ["two", "also two"] not in gauge.seen
    assert ["also two", "one"] in gauge.seen


@pytest.mark.parametrize("tag", [runners.EXCLUSIVE, runners.LAST, "disturbs"])
def test_nothing_is_played_beside_a_case_that_measures_or_disturbs(tag: str) -> None:
    gauge = Gauge()
    played(gauge.case("a"), gauge.case("alone", tag), gauge.case("b"))
    assert [seen for seen in gauge.seen if "alone" in seen] == [["alone"]]


def test_a_finding_fails_the_case_and_an_expectation_without_one_passes() -> None:
    broken = Expect((Finding("R-1", "202", "500"),))
    one, two = played(case("right", Do(nothing)), case("wrong", Do(nothing), expect=broken))
    assert (one.judgement.verdict, two.judgement.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert two.rerun == "run --case wrong"


def test_a_case_that_needs_what_the_target_lacks_is_skipped_with_the_reason() -> None:
    (outcome,) = played(case("it", Do(nothing), needs=frozenset({"streams"})))
    assert outcome.judgement == Judgement(Verdict.SKIP, {}, (), "the target declares no streams")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SuiteError("the script has no reply left"), "the script has no reply left"),
        (ValueError("oops"), "the suite itself failed: ValueError: oops (test_runner.py:"),
    ],
)
def test_an_error_in_one_case_is_its_own_and_accuses_nobody(error: Exception, reason: str) -> None:
    async def fails(session: Session) -> None:
        raise error

    one, other = played(case("broken", Do(fails)), case("right", Do(nothing)))
    assert one.judgement.verdict is Verdict.ERROR
    assert one.judgement.reason.startswith(reason)
    assert other.judgement.verdict is Verdict.PASS


def test_a_case_that_waits_in_vain_is_judged_by_what_it_waited_for() -> None:
    async def waits(session: Session) -> None:
        await session.until(lambda: False, "the completed callback")

    (outcome,) = played(case("it", Do(waits)))
    assert outcome.judgement.verdict is Verdict.FAIL
    (finding,) = outcome.judgement.findings
    assert (finding.expected, finding.observed) == ("the completed callback", "nothing for 2 s")


def test_a_case_that_never_ends_is_an_error_after_its_limit() -> None:
    async def never(session: Session) -> None:
        while True:
            session.touch()  # the target does something, and the case gets no further
            await asyncio.sleep(1)

    (outcome,) = played(case("it", Do(never)))
    assert outcome.judgement == Judgement(Verdict.ERROR, {}, (), "the case did not end within 120 s")


def test_a_target_that_does_nothing_any_more_ends_all_that_is_in_flight_and_nothing_else_is_played() -> None:
    async def waits(session: Session) -> None:
        await asyncio.Event().wait()

    async def main() -> tuple[list[Outcome], Outcome]:
        async with runner() as judging:
            begun = await asyncio.gather(*(judging.play(case(str(n), Do(waits))) for n in range(5)))
            return begun, await judging.play(case("later", Do(nothing)))

    begun, later = virtual_time.run(main())
    assert {outcome.judgement.verdict for outcome in (*begun, later)} == {Verdict.ERROR}
    reason = "the target has stopped answering: nothing came of it for 6 s, with 3 case(s) in flight"
    assert {outcome.judgement.reason for outcome in begun} == {reason}
    assert later.judgement.reason == f"not played: {reason}"


def test_with_a_live_model_a_case_about_a_script_is_skipped() -> None:
    async def main() -> Outcome:
        live = Options(OPTIONS.target, OPTIONS.card, live=True)
        async with runner(live) as judging:
            return await judging.play(case("it", Do(nothing)))

    judgement = virtual_time.run(main()).judgement
    assert (judgement.verdict, judgement.reason) == (Verdict.SKIP, runners.SCRIPT_BOUND)
