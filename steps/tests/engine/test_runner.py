"""Many cases on one loop: how many at once, what one may do to the others, and what becomes of one that cannot be played. Time is virtual."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterable
from time import monotonic
from typing import Any

import httpx
import pytest

from rollout_conformance.steps.engine import runner as runners
from rollout_conformance.steps.engine.cases import Case, Live
from rollout_conformance.steps.engine.findings import (
    Evidence,
    Finding,
    Judgement,
    Satisfied,
    SuiteError,
    Verdict,
)
from rollout_conformance.steps.engine.instances import Instances
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.runner import Options, Runner
from rollout_conformance.steps.engine.session import MOST_PATIENCE, Session
from rollout_conformance.steps.engine.standstill import MOST_PROBES
from rollout_conformance.steps.engine.target_card import Card, Variant
from rollout_conformance.steps.engine.targets import Target
from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.tests import virtual_time
from rollout_conformance.steps.tests.engine.runner_cases import OPTIONS, Do, Expect, Peers, Profile, case, played


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


def test_the_time_of_a_case_begins_when_it_has_a_slot() -> None:
    gauge = Gauge()
    outcomes = played(*(gauge.case(str(n)) for n in range(2 * OPTIONS.jobs)))
    assert max(outcome.seconds for outcome in outcomes) < 2


def test_the_cases_in_flight_are_those_that_have_a_slot_and_have_not_been_judged() -> None:
    async def main() -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
        gauge = Gauge()
        async with Runner(OPTIONS, Profile(), Peers(), lambda one: f"run --case {one.name}") as runner:
            plays = asyncio.gather(*(runner.play(gauge.case(str(n))) for n in range(2 * OPTIONS.jobs)))
            await asyncio.sleep(0.5)
            meanwhile = runner.in_flight()
            await plays
            return meanwhile, runner.in_flight()

    meanwhile, afterwards = virtual_time.run(main())
    assert [name for name, _ in meanwhile] == ["0[sync]", "1[sync]", "2[sync]"]
    assert all(seconds >= 0 for _, seconds in meanwhile)
    assert afterwards == []


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
        async with Runner(OPTIONS, Profile(), Peers(), lambda one: "") as runner:
            begun = await asyncio.gather(*(runner.play(case(str(n), Do(waits))) for n in range(5)))
            return begun, await runner.play(case("later", Do(nothing)))

    begun, later = virtual_time.run(main())
    assert {outcome.judgement.verdict for outcome in (*begun, later)} == {Verdict.ERROR}
    reason = "the target has stopped answering: nothing came of it for 6 s, with 3 case(s) in flight"
    assert {outcome.judgement.reason for outcome in begun} == {reason}
    assert later.judgement.reason == f"not played: {reason}"


def test_with_a_live_model_a_case_about_a_script_is_skipped() -> None:
    async def main() -> Outcome:
        live = Options(OPTIONS.target, OPTIONS.card, live=True)
        async with Runner(live, Profile(), Peers(), lambda one: "") as runner:
            return await runner.play(case("it", Do(nothing)))

    judgement = virtual_time.run(main()).judgement
    assert (judgement.verdict, judgement.reason) == (Verdict.SKIP, runners.SCRIPT_BOUND)


@pytest.mark.parametrize("live", [False, True])
def test_what_was_measured_beside_other_cases_is_measured_again_alone(live: bool) -> None:
    seen: list[bool] = []

    class TooLateAtFirst(Expect):
        def judge(self, view: Any, requirement: str) -> Iterable[Evidence]:
            seen.append(view.state["apart"])
            late = Finding("R-1", "a response within 1 s", "after 2 s", timing=True)
            return (late,) if len(seen) == 1 else (Satisfied("R-1"),)

    async def main() -> Outcome:
        options = Options(OPTIONS.target, OPTIONS.card, live=live)
        async with Runner(options, Profile(), Peers(), lambda one: "") as runner:
            return await runner.play(case("it", Do(nothing), expect=TooLateAtFirst(), live=Live()))

    assert virtual_time.run(main()).judgement.verdict is Verdict.PASS
    assert seen == [False, True]


@pytest.mark.parametrize(
    ("faults", "answers", "verdicts"),
    [
        (["Cannot connect to host a:1"], False, [Verdict.ERROR, Verdict.ERROR]),
        (["Cannot connect to host a:1"], True, [Verdict.FAIL, Verdict.PASS]),
        (["the connection was closed", "Cannot connect to host a:1"], False, [Verdict.FAIL, Verdict.PASS]),
    ],
    ids=["a target that has ended", "one that answers again", "the case in which it ended"],
)
def test_a_target_that_has_ended_is_not_judged(faults: list[str], answers: bool, verdicts: list[Verdict]) -> None:
    async def lost(session: Session) -> None:
        session.touch()
        for fault in faults:
            session.trace.close(session.trace.open(Request("GET", "/", (), b""), to_target=True), fault=fault)

    async def answering() -> bool:
        return answers

    async def main() -> list[Outcome]:
        async with Runner(OPTIONS, Profile(), Peers(), lambda one: "") as runner:
            runner.standstill.answers = answering
            broken = Expect((Finding("R-1", "a response", faults[0]),))
            return [
                await runner.play(one) for one in (case("first", Do(lost), expect=broken), case("second", Do(nothing)))
            ]

    outcomes = virtual_time.run(main())
    assert [one.judgement.verdict for one in outcomes] == verdicts
    if Verdict.ERROR in verdicts:
        assert "accepts no connection any more" in outcomes[1].judgement.reason


def test_where_a_target_has_ended_the_cases_before_it_are_named() -> None:
    async def lost(session: Session) -> None:
        session.trace.close(session.trace.open(Request("GET", "/"), to_target=True), fault="Cannot connect to host a:1")

    async def never() -> bool:
        return False

    async def main() -> Outcome:
        async with Runner(OPTIONS, Profile(), Peers(), lambda one: "") as runner:
            runner.standstill.answers = never
            for name in ("1", "2", "3", "4"):
                await runner.play(case(name, Do(nothing)))
            return await runner.play(case("5", Do(lost)))

    reason = virtual_time.run(main()).judgement.reason
    assert reason.endswith('. The last cases before it: "2" [sync], "3" [sync], "4" [sync]'), reason


@pytest.fixture
def without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instances are started without a process; their ports are 1, 2 and so on, in order."""
    ports = itertools.count(1)

    async def launched(self: Instances, stack: contextlib.AsyncExitStack, variant: str) -> Target:
        return Target(f"http://127.0.0.1:{next(ports)}")

    monkeypatch.setattr(Instances, "_launched", launched)


class RecoveredFrom(Peers):
    """Instances of the target recover from this one on."""

    def __init__(self, first: int) -> None:
        self.first = first

    async def recovered(self, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool:
        return int(base_url.rpartition(":")[2]) >= self.first


@pytest.mark.parametrize(
    ("first", "instances", "unwell"),
    [(1, 1, False), (2, 2, False), (3, 3, True), (99, 3, True)],
    ids=["it recovers", "a fresh one is well", "the second fresh one would be", "none ever is"],
)
@pytest.mark.usefixtures("without_processes")
def test_an_instance_that_does_not_recover_is_replaced(first: int, instances: int, unwell: bool) -> None:
    """Two cases that disturb: the second one finds the instance as the first one left it."""
    seen: list[tuple[str, bool]] = []

    async def act(session: Session) -> None:
        session.touch()
        seen.append((session.target, session.state["unwell"]))

    async def main() -> None:
        card = Card(patience_s=2.0, settle_s=0.1, variants={"small": Variant()})
        options = Options("cmd:server {port}", card, jobs=3)
        async with Runner(options, Profile(), RecoveredFrom(first), lambda one: one.name) as runner:
            await asyncio.gather(*(runner.play(case(name, Do(act), "disturbs", variant="small")) for name in "ab"))

    virtual_time.run(main())
    assert seen[0][1] is unwell
    assert seen[-1] == (f"http://127.0.0.1:{instances}", first > instances)


def test_the_time_of_the_judge_is_no_lateness_of_the_case() -> None:
    """A breach in a case of many responses, whose judgement takes long, is a breach: it was measured before."""
    plays: list[str] = []

    async def act(session: Session) -> None:
        plays.append("")
        session.touch()

    async def main() -> Outcome:
        async with Runner(OPTIONS, Profile(), Peers(), lambda one: "") as runner:

            class SlowJudge(Expect):
                def judge(self, view: Any, requirement: str) -> Iterable[Evidence]:
                    runner.lateness.note(monotonic() - 9, monotonic())
                    return (Finding("R-1", "one", "none"),)

            return await runner.play(case("many responses", Do(act), expect=SlowJudge()))

    outcome = virtual_time.run(main())
    assert (outcome.judgement.verdict, outcome.late_s < 1, len(plays)) == (Verdict.FAIL, True, 1)


def hung(patience_s: float, count: int, hangs_s: float, *tags: str) -> list[Outcome]:
    """The outcomes of so many cases, one after the other, in each of which a request hangs for so long; a plain one is answered meanwhile."""

    async def hang(session: Session) -> None:
        await asyncio.sleep(hangs_s)

    async def answers() -> bool:
        return True

    async def main() -> list[Outcome]:
        options = Options("http://target", Card(patience_s=patience_s, settle_s=0.0), jobs=1)
        async with Runner(options, Profile(), Peers(), lambda one: "") as runner:
            runner.standstill.answers = answers
            return [await runner.play(case(f"case {n}", Do(hang), *tags)) for n in range(count)]

    return virtual_time.run(main())


def errors(outcomes: list[Outcome]) -> list[str]:
    return [one.judgement.reason for one in outcomes if one.judgement.verdict is Verdict.ERROR]


@pytest.mark.parametrize("patience_s", [1.0, 10.0, 25.0, 60.0])
def test_a_request_that_is_waited_for_as_long_as_any_is_judged(patience_s: float) -> None:
    assert errors(hung(patience_s, 1, MOST_PATIENCE * patience_s)) == []


def test_cases_about_failures_are_judged_however_many_of_them_hang() -> None:
    """The target answered plain requests before each of them, so that it does not stand still."""
    assert errors(hung(10.0, 2 * MOST_PROBES, 59.0, "disturbs")) == []


def test_a_target_on_which_all_other_cases_hang_stands_still() -> None:
    assert any("has stopped answering" in one for one in errors(hung(10.0, 2 * MOST_PROBES, 59.0)))
