"""Which outcomes prove what they say, and which are obtained again with the target to itself: truth tables, and the clock of nobody."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from rollout_conformance.steps.engine import retry_alone
from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Cause, Evidence, Finding, Judgement, Location, Satisfied, Verdict
from rollout_conformance.steps.engine.judging import Judging
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.retry_alone import RetryPolicy, unproven
from rollout_conformance.steps.engine.runner import Options, Runner
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.profiles.rollout.card import RolloutCard

AT = Location("case", 1)
ABOUT = "R-1"
CASE = Case("it", "rollout", "sync", (ABOUT,), (), AT)
STARVED = "it is about time, and the target or the suite waited 0.3 s for a CPU"
BUSY = "it is about time, and other cases kept the target busy"


def outcome(
    *findings: Finding,
    late_s: float = 0.0,
    alone: bool = False,
    seconds: float = 1.0,
    cause: Cause | None = None,
    cpu_wait_s: float = 0.0,
) -> Outcome:
    verdict = Verdict.FAIL if findings else Verdict.PASS
    judgement = Judgement(verdict, {ABOUT: verdict}, findings, cause=cause)
    return Outcome(CASE, judgement, None, seconds, "", late_s, alone, cpu_wait_s=cpu_wait_s)


BREACH = Finding(ABOUT, "an id", "none")
LATE = Finding(ABOUT, "an answer", "none within 1 s", timing=True)


@pytest.mark.parametrize(
    ("seen", "limit_s", "why"),
    [
        (outcome(), None, None),
        (outcome(late_s=60), None, None),  # a case that passed, passed
        (outcome(BREACH), None, None),
        (outcome(BREACH, late_s=0.9), None, None),
        (outcome(BREACH, late_s=1.1), None, "the suite was late itself, by 1.1 s"),
        (outcome(BREACH, late_s=0.2), 1.0, None),
        (outcome(BREACH, late_s=0.3), 1.0, "the suite was late itself, by 0.3 s"),
        (outcome(LATE), None, BUSY),
        (outcome(LATE, alone=True), None, None),
        (outcome(LATE, alone=True, late_s=0.2), None, None),
        (outcome(LATE, alone=True, late_s=0.3), None, "the suite was late itself, by 0.3 s"),
        (outcome(LATE, alone=True, late_s=0.3, seconds=10), None, None),  # a small part of what was measured
        (outcome(LATE, alone=True, late_s=2.6, seconds=10), None, "the suite was late itself, by 2.6 s"),
        (outcome(LATE, alone=True, cpu_wait_s=0.3), None, STARVED),
        (outcome(LATE, alone=True, cpu_wait_s=2.4, seconds=10), None, None),
        (outcome(BREACH, cpu_wait_s=9), None, None),  # no lack of a CPU leaves out an id
        (outcome(LATE, BREACH), None, BUSY),  # the other breach is proof, the one about time is not
        (outcome(LATE, BREACH, alone=True), None, None),
    ],
)
def test_an_outcome_is_doubted_when_time_alone_or_lateness_may_be_why(
    seen: Outcome, limit_s: float | None, why: str | None
) -> None:
    assert RetryPolicy().reason_to_retry(seen, limit_s) == why


@pytest.mark.parametrize(
    ("cpu_wait_s", "limit_s", "verdict", "again"),
    [
        (0.5, 1.5, Verdict.FAIL, True),
        (0.5, 1.5, Verdict.PASS, True),  # a warning
        (0.3, 1.5, Verdict.FAIL, False),
        (9.0, None, Verdict.FAIL, False),
    ],
)
def test_a_failure_of_a_target_that_waited_for_a_cpu_proves_nothing_where_its_own_limits_are_short(
    cpu_wait_s: float, limit_s: float | None, verdict: Verdict, again: bool
) -> None:
    cause = Cause("the rollout ended in ERROR: timeout exceeded (1.5 s)", BREACH, beside=True)
    seen = outcome(BREACH, alone=True, cause=cause, cpu_wait_s=cpu_wait_s)
    seen = replace(seen, judgement=replace(seen.judgement, verdict=verdict))
    assert (RetryPolicy().reason_to_retry(seen, limit_s) is not None) == again


def test_what_was_waited_for_less_long_than_usual_is_waited_for_once_more() -> None:
    retries = RetryPolicy()
    hurried = replace(outcome(LATE, alone=True), hurried=True)
    assert retries.reason_to_retry(hurried) == (
        "it is about time, and the target was waited for less long than its card says"
    )
    assert (
        retries.reason_to_retry(replace(outcome(BREACH, alone=True), hurried=True)) is None
    )  # seen, and not waited for


def test_a_target_that_ran_into_its_own_limits_while_it_waited_for_a_cpu_is_asked_again() -> None:
    starved = Cause("a request had the response 503", BREACH, starved=True)
    retries = RetryPolicy()
    assert retries.reason_to_retry(outcome(BREACH, cause=starved)) == BUSY
    assert retries.reason_to_retry(outcome(BREACH, alone=True, cause=starved, cpu_wait_s=0.3)) == STARVED
    for _ in range(retry_alone.CONFIRMATIONS):
        assert retries.reason_to_retry(outcome(BREACH, alone=True, cause=starved)) is None
    assert retries.reason_to_retry(outcome(BREACH, cause=starved)) is None
    assert not retries.silent  # what was answered is nothing that was waited for in vain


@pytest.mark.parametrize(
    ("late_s", "cpu_wait_s", "alone", "again"),
    [
        (0.3, 0.0, False, True),
        (0.3, 0.0, True, True),  # with an instance of its own, beside others that have theirs
        (0.0, 0.3, True, True),
        (0.2, 0.2, False, False),
    ],
)
def test_what_was_not_decided_on_a_busy_machine_is_played_once_more(
    late_s: float, cpu_wait_s: float, alone: bool, again: bool
) -> None:
    undecided = Judgement(Verdict.INCONCLUSIVE, {ABOUT: Verdict.INCONCLUSIVE}, (), "no occasion arose to judge R-1")
    seen = Outcome(CASE, undecided, None, 1.0, "", late_s, alone, cpu_wait_s=cpu_wait_s)
    assert (RetryPolicy().reason_to_retry(seen) is not None) == again
    assert RetryPolicy(retries=retry_alone.MOST_RETRIES // 2).reason_to_retry(seen) is None


@pytest.mark.parametrize("alone", [True, False])
def test_a_cause_that_may_be_of_others_is_doubted_until_there_are_none(alone: bool) -> None:
    crowded = Cause("the target answered 429", None, again=True)
    assert RetryPolicy().reason_to_retry(outcome(alone=alone, cause=crowded)) == "the target answered 429"
    assert RetryPolicy().reason_to_retry(outcome(alone=alone, cause=Cause("the target answered 429", None))) is None


def test_what_was_confirmed_twice_is_not_doubted_any_more() -> None:
    retries = RetryPolicy()
    for _ in range(retry_alone.CONFIRMATIONS):
        assert retries.reason_to_retry(outcome(LATE)) == BUSY
        assert retries.reason_to_retry(outcome(LATE, alone=True)) is None
    assert retries.reason_to_retry(outcome(LATE)) is None
    assert retries.reason_to_retry(outcome(Finding("R-2", "an answer", "none", timing=True))) == BUSY
    assert retries.reason_to_retry(outcome(LATE, Finding("R-2", "an answer", "none", timing=True))) == BUSY


def test_a_breach_that_shows_twice_in_one_case_is_one_confirmation() -> None:
    retries = RetryPolicy()
    assert retries.reason_to_retry(outcome(LATE, LATE, alone=True)) is None
    assert retries.reason_to_retry(outcome(LATE)) == BUSY


def caused(reason: str, about: str) -> Outcome:
    finding = Finding(about, "an end", reason, timing=True)
    return outcome(finding, cause=Cause(reason, finding))


def test_a_cause_is_confirmed_whatever_requirement_its_case_is_about() -> None:
    retries = RetryPolicy()
    retries.confirmed["an end: none within # s of silence"] = retry_alone.CONFIRMATIONS
    assert retries.reason_to_retry(caused("an end: none within 3 s of silence", "R-7")) is None
    assert retries.reason_to_retry(caused("another end: none within 3 s of silence", "R-7")) == BUSY


def test_there_is_an_end_to_playing_again() -> None:
    retries = RetryPolicy()
    assert [retries.may_retry() for _ in range(retry_alone.MOST_RETRIES + 1)] == [True] * retry_alone.MOST_RETRIES + [
        False
    ]


def test_what_could_not_be_measured_says_nothing_of_the_target() -> None:
    found = unproven(outcome(LATE), BUSY).judgement
    assert (found.verdict, found.findings, dict(found.requirements)) == (Verdict.INCONCLUSIVE, (), {})
    assert found.reason == f"could not be measured: {BUSY}"


SILENT: Any = SimpleNamespace(disturbs=None)


class Played(Runner):
    """A runner whose plays of a case come out as they are given, one after the other; the last one for ever."""

    def __init__(self, *plays: Outcome, card: Card | None = None) -> None:
        nothing_lacks: Any = SimpleNamespace(lacks=lambda case: None)
        super().__init__(Options("http://x", card or Card()), SILENT, nothing_lacks, lambda case: "")
        self.plays, self.apart = list(plays), list[bool]()

    async def _once(self, case: Case, again: bool = False) -> Outcome:
        self.apart.append(again)
        return self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]


def played(runner: Played) -> tuple[Verdict, list[bool]]:
    """What a case came to, and which of its plays had the target to themselves."""
    return asyncio.run(runner.play(CASE)).judgement.verdict, runner.apart


@pytest.mark.parametrize(
    ("plays", "came_to"),
    [
        ([outcome()], (Verdict.PASS, [False])),
        ([outcome(BREACH)], (Verdict.FAIL, [False])),
        ([outcome(LATE), outcome()], (Verdict.PASS, [False, True])),
        ([outcome(LATE), outcome(LATE, alone=True)], (Verdict.FAIL, [False, True])),
        ([outcome(BREACH, late_s=9), outcome(BREACH, late_s=9), outcome()], (Verdict.PASS, [False, True, True])),
        ([outcome(BREACH, late_s=9)], (Verdict.INCONCLUSIVE, [False, True, True, True])),
    ],
    ids=["passes", "fails", "was busy", "is slow alone too", "late, late, well", "late for ever"],
)
def test_a_doubtful_case_is_played_again_alone(plays: Sequence[Outcome], came_to: tuple[Verdict, list[bool]]) -> None:
    assert played(Played(*plays)) == came_to


def test_a_run_that_has_played_enough_again_says_nothing_of_the_target() -> None:
    runner = Played(outcome(LATE))
    runner.retries.retries = retry_alone.MOST_RETRIES
    assert played(runner) == (Verdict.INCONCLUSIVE, [False])


def test_a_target_that_stays_full_is_inconclusive_for_its_own_reason() -> None:
    full = Judgement(Verdict.INCONCLUSIVE, {}, (), "full", cause=Cause("full", None, again=True))
    runner = Played(Outcome(CASE, full, None, 1.0, ""))
    assert asyncio.run(runner.play(CASE)).judgement.reason == "full"
    assert len(runner.apart) == 1 + retry_alone.RETRIES


def test_lateness_is_measured_by_the_shortest_limit_of_the_card() -> None:
    late = outcome(BREACH, late_s=0.3)
    assert played(Played(late, outcome(), card=RolloutCard(tool_timeout_s=1.0, rollout_timeout_s=60.0)))[1] == [
        False,
        True,
    ]
    assert played(Played(late, outcome(), card=RolloutCard(tool_timeout_s=2.0)))[1] == [False]


LEVELS = {"R-1": "must", "R-2": "should", "R-3": "may", "R-4": "must"}


class Judge:
    """A profile of four requirements; `checked` is what its invariants find."""

    levels, at_any_level = LEVELS, frozenset({"R-4"})
    masks_other_findings: frozenset[str] = frozenset()

    def __init__(self, *checked: Evidence) -> None:
        self._checked = checked

    def dialects_of(self, requirement: str) -> tuple[str, ...]:
        return ("sync",)

    def checked(self, view: Any) -> Iterable[Evidence]:
        return self._checked


def judging(*checked: Evidence) -> Judging:
    judge: Any = Judge(*checked)
    return Judging(judge)


class Demand:
    def judge(self, view: Any, requirement: str) -> Iterable[Evidence]:
        return ()


def about(*requirements: str) -> Case:
    return Case("it", "rollout", "sync", requirements, (Step(Demand(), AT),), AT)


@pytest.mark.parametrize(
    ("requirements", "found", "cap", "level"),
    [
        (("R-1",), "R-1", "must", "must"),
        (("R-2",), "R-1", "should", "should"),  # a case about a SHOULD brought it about
        (("R-3",), "R-1", "may", "may"),
        (("R-3", "R-2"), "R-1", "should", "should"),  # the strongest of the case
        (("R-1",), "R-3", "must", "may"),
        (("R-3",), "R-4", None, "must"),  # what counts whatever brought it about
        ((), "R-1", None, "must"),  # a generated request is about nothing
    ],
)
def test_a_breach_counts_no_more_than_the_case_that_brought_it_about(
    requirements: tuple[str, ...], found: str, cap: str | None, level: str
) -> None:
    case = Case("it", "rollout", "sync", requirements, (), AT)
    (capped,) = judging().capped([Finding(found, "a", "b")], case)
    assert isinstance(capped, Finding)
    assert (capped.cap, capped.level(LEVELS)) == (cap, level)


def test_a_cap_is_never_lifted() -> None:
    (capped,) = judging().capped([Finding("R-1", "a", "b", cap="may")], about("R-2"))
    assert isinstance(capped, Finding)
    assert capped.cap == "may"
    assert judging().capped([Satisfied("R-1")], about("R-2")) == [Satisfied("R-1")]


def test_of_a_case_that_ended_otherwise_that_end_and_what_came_before_is_judged() -> None:
    end = Finding("R-1", "COMPLETED", "ERROR", (4,))
    before, after = Finding("R-4", "an id", "none", (1,)), Finding("R-2", "a mask", "none", (4,))
    no_exchange = Finding("R-3", "something", "nothing")
    cause = Cause("it ended", end, since=4)
    found = judging(before, after, no_exchange, Satisfied("R-2")).resting(about("R-1"), None, cause)
    assert found.verdict is Verdict.FAIL
    assert [one.requirement for one in found.findings] == ["R-1", "R-4"]
    assert (found.reason, found.unjudged, found.cause) == ("it ended", 1, cause)


@pytest.mark.parametrize(
    ("checked", "verdict"),
    [((), Verdict.INCONCLUSIVE), ((Finding("R-4", "an id", "none", (1,)),), Verdict.FAIL)],
    ids=["nothing before", "a breach before"],
)
def test_a_cause_that_proves_nothing_is_inconclusive_unless_there_was_a_breach_before(
    checked: tuple[Evidence, ...], verdict: Verdict
) -> None:
    found = judging(*checked).resting(about("R-1"), None, Cause("it is full", None, since=4))
    assert (found.verdict, found.reason) == (verdict, "it is full")


def test_an_end_that_breaks_a_should_does_not_fail_a_run_on_musts() -> None:
    found = judging().resting(about("R-2"), None, Cause("it ended", Finding("R-2", "a", "b", (4,)), since=4))
    assert found.verdict is Verdict.PASS
    assert dict(found.requirements) == {"R-2": Verdict.FAIL}


def test_a_rollout_that_failed_beside_others_is_played_alone_and_then_counts() -> None:
    cause = Cause("the rollout ended in ERROR", BREACH, beside=True)
    policy = RetryPolicy()
    assert policy.reason_to_retry(outcome(BREACH, cause=cause)) == "it failed while other cases were in flight"
    assert policy.reason_to_retry(outcome(BREACH, cause=cause, alone=True)) is None
