"""What a soak counts: classes of requests, intervals, and which failures prove something."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, SuiteError, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.target_card import SoakBounds
from rollout_conformance.steps.engine.trace import Exchange, Request, Response
from rollout_conformance.steps.soak import bounds, lines
from rollout_conformance.steps.soak.latencies import MOST_CLASSES, Latencies, Spread, request_class
from rollout_conformance.steps.soak.plan import SoakPlan, seconds_of
from rollout_conformance.steps.soak.player import Soak
from rollout_conformance.steps.soak.tally import CaseTally
from rollout_conformance.steps.soak.timeline import Timeline
from rollout_conformance.steps.soak.usage import UNKNOWN, Usage, of_metrics, of_process

CASE = Case("a case", "rollout", "sync", ("ROLLOUT-001",), (), Location("a.yaml", 1))


def outcome(verdict: Verdict, seconds: float = 0.1, late_s: float = 0.0, timing: bool = False) -> Outcome:
    findings = (Finding("ROLLOUT-001", "one", "none", timing=timing),) if verdict is Verdict.FAIL else ()
    return Outcome(CASE, Judgement(verdict, {"ROLLOUT-001": verdict}, findings), None, seconds, "", late_s)


def tally(*outcomes: Outcome) -> CaseTally:
    found = CaseTally()
    for one in outcomes:
        found.add(one)
    return found


def answered(path: str, seconds: float = 0.5, method: str = "GET") -> Exchange:
    return Exchange(0, True, "", Request(method, path), 1.0, Response(200), None, 1.0 + seconds)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), (" 5s ", 5)])
def test_how_long_a_soak_lasts(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-3s", "ten minutes", "5d", "49h", "1e3"])
def test_what_is_no_time_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(SuiteError, match="90s, 10m or 2h"):
        seconds_of(text)


def test_every_case_is_played_as_often_as_any_other() -> None:
    cases = [replace(CASE, name=f"case {n}") for n in range(7)]
    played = list(islice(SoakPlan(1, seed=3).order(cases), 21))
    assert all(played.count(case) == 3 for case in cases)
    assert played[:7] != played[7:14]
    assert played == list(islice(SoakPlan(1, seed=3).order(cases), 21))


def test_a_soak_without_cases_ends() -> None:
    assert list(SoakPlan(1).order([])) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/rollout/init", "GET /v1/rollout/init"),
        ("/rollout/rc-12ab/status?wait=3", "GET /rollout/{id}/status"),
        ("/v1beta2/x", "GET /v1beta2/x"),
        ("/" + "a" * 40, "GET /{id}"),
    ],
)
def test_requests_for_one_thing_among_many_are_one_class(path: str, name: str) -> None:
    assert request_class(answered(path)) == name


def test_a_target_that_is_asked_for_any_path_does_not_fill_the_memory() -> None:
    found = Latencies()
    found.add(answered(f"/{letter}{other}") for letter in "abcdefghijkl" for other in "abcdefghijkl")
    assert len(found.by_class) == MOST_CLASSES + 1
    assert sum(spread.count for spread in found.spreads().values()) == 144


def test_requests_of_the_target_and_those_without_a_response_are_not_counted() -> None:
    silent = replace(answered("/a"), response=None)
    assert Latencies().add([silent, replace(answered("/a"), to_target=False)]) == []


def test_the_spread_of_requests() -> None:
    assert Spread.of([n / 1000 for n in range(1, 102)]) == Spread(101, 51.0, 100.0, 101.0)
    assert Spread.of([0.25]) == Spread(1, 250.0, 250.0, 250.0)
    assert Spread.of([]) is None


def test_a_failure_among_many_plays_is_told_with_its_count() -> None:
    found = tally(*[outcome(Verdict.PASS)] * 999, outcome(Verdict.FAIL))
    assert found.outcome().judgement.findings[0].observed.startswith("none (in 1 of 1000 plays; the plays that passed")
    assert found.failures == 1


def test_a_wait_far_longer_than_usual_is_a_failure() -> None:
    found = tally(*[outcome(Verdict.PASS)] * 50, outcome(Verdict.FAIL, seconds=6, timing=True))
    assert (found.failures, found.outcome().judgement.verdict) == (1, Verdict.FAIL)


@pytest.mark.parametrize(("seconds", "late_s"), [(0.9, 0.0), (6.0, 2.0)], ids=["not far longer", "suite late"])
def test_a_wait_that_proves_nothing_is_none(seconds: float, late_s: float) -> None:
    found = tally(outcome(Verdict.PASS), outcome(Verdict.FAIL, seconds, late_s, timing=True))
    assert (found.failures, found.outcome().judgement.verdict) == (0, Verdict.PASS)


def test_only_waits_without_any_play_that_passed_say_nothing() -> None:
    found = tally(*[outcome(Verdict.FAIL, 6, timing=True)] * 30)
    assert found.outcome().judgement.verdict is Verdict.INCONCLUSIVE
    assert len(found.timed) < 30


def test_a_failure_while_the_suite_was_late_is_not_certain() -> None:
    assert tally(outcome(Verdict.PASS), outcome(Verdict.FAIL, late_s=5)).failures == 0


def soak_of(usages: Sequence[Usage], seconds: float = 0.0) -> Soak:
    found = Soak(SoakPlan(8), Timeline(1.0))
    for n, usage in enumerate(usages):
        found.timeline.at(n).usage = usage
    found.latencies.add([answered("/slow", seconds)] * 3)
    return found


def test_growth_is_counted_from_a_quarter_on() -> None:
    found = soak_of([Usage(10, 5), Usage(50, 9), Usage(52, 8), Usage(61, 11)])
    assert found.timeline.growth() == Usage(11, 2)
    assert soak_of([UNKNOWN, Usage(1, 1)]).timeline.growth() == UNKNOWN


def test_each_bound_that_is_exceeded_is_named_with_both_values() -> None:
    found = soak_of([Usage(10, 5), Usage(10, 5), Usage(61, 11)], seconds=3.0)
    tight = SoakBounds(p99_s=1, memory_growth_mib=20, open_files_growth=5)
    told = list(bounds.exceeded(found, tight))
    assert told[0] == "GET /slow: p99 is 3000 ms, the card allows 1000 ms (soak.p99_s)"
    assert "grew by 51 MiB" in told[1]
    assert "grew by 6 files" in told[2]
    assert list(bounds.exceeded(found, SoakBounds())) == []
    assert list(bounds.exceeded(found, SoakBounds(p99_s=4, memory_growth_mib=60, open_files_growth=7))) == []


def test_a_bound_that_cannot_be_measured_says_so() -> None:
    (told,) = bounds.exceeded(soak_of([UNKNOWN]), SoakBounds(memory_growth_mib=5))
    assert "not measured" in told


def test_what_a_process_uses_is_read() -> None:
    import os

    usage = of_process(os.getpid())
    assert usage.memory_mib
    assert usage.memory_mib > 10
    assert usage.open_files
    assert of_process(2**22 + 1) == UNKNOWN


def test_what_metrics_say_of_a_process_is_read() -> None:
    page = "process_resident_memory_bytes 5.24288e+07\nprocess_open_fds 17\n"
    assert of_metrics(page) == Usage(50.0, 17)
    assert of_metrics("other 1\n") == UNKNOWN


def test_the_lines_of_a_soak() -> None:
    told = "\n".join(lines.lines(soak_of([Usage(10, 5), Usage(10, 5), Usage(61, 11)], seconds=3.0)))
    assert "GET /slow" in told
    assert "p99   3000.0 ms" in told
    assert "+51.0 MiB" in told
