"""k of N: what several sampled runs of a case amount to."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rollout_conformance.steps.engine.cases import Case, Live
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.statistical_verdict import least_share, verdict

NAME = "ROLLOUT-094"
PLACE = Location("scenarios/rollout/tools.yaml", 9)
PASS, FAIL, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP
CONTENT = Finding(NAME, "one call", "no call", at=PLACE)
INVARIANT = Finding(NAME, "a list", "null")


def case(runs: int = 5, least: int = 3) -> Case:
    return Case(
        "c", "rollout", "sync", (NAME,), (), Location("scenarios/rollout/tools.yaml", 7), live=Live((), runs, least)
    )


def outcome(what: Verdict, *findings: Finding, reason: str = "", seconds: float = 1.0) -> Outcome:
    # on_live() leaves another case behind than the one that was asked for
    return Outcome(replace(case(), steps=()), Judgement(what, {NAME: what}, findings, reason), None, seconds, "rerun")


GOOD, BAD = outcome(PASS), outcome(FAIL, CONTENT)


@pytest.mark.parametrize(
    ("outcomes", "least", "wanted"),
    [
        ([GOOD] * 5, 3, PASS),
        ([BAD, BAD, GOOD, GOOD, GOOD], 3, PASS),
        ([BAD, BAD, BAD, GOOD, GOOD], 3, FAIL),
        ([GOOD, GOOD, BAD, BAD, BAD], 3, FAIL),
        ([BAD] * 5, 1, FAIL),
        ([BAD, BAD, BAD, BAD, GOOD], 1, PASS),
        ([GOOD, GOOD, GOOD, GOOD, BAD], 5, FAIL),
        ([GOOD, outcome(SKIP), outcome(Verdict.INCONCLUSIVE)], 2, SKIP),
    ],
)
def test_it_holds_when_enough_runs_do(outcomes: Sequence[Outcome], least: int, wanted: Verdict) -> None:
    asked = case(len(outcomes), least)
    found = verdict(asked, outcomes)
    held = sum(one.judgement.verdict is PASS for one in outcomes)
    assert found.judgement.verdict is wanted
    assert found.judgement.reason.startswith(f"{held} of {len(outcomes)} runs held, {least} were asked for; by that, ")
    assert (found.case, found.seconds) == (asked, float(len(outcomes)))


def test_the_findings_are_those_of_a_run_that_did_not_hold() -> None:
    assert verdict(case(), [GOOD, BAD, BAD, BAD, GOOD]).judgement.findings == (CONTENT,)
    assert verdict(case(), [BAD, BAD, GOOD, GOOD, GOOD]).judgement.findings == ()


def test_the_reason_says_how_much_that_proves() -> None:
    reason = verdict(case(10, 9), [GOOD] * 9 + [BAD]).judgement.reason
    assert reason == "9 of 10 runs held, 9 were asked for; by that, at least 65% of all runs would (95% sure)"


def test_an_invariant_fails_at_once_however_many_runs_hold() -> None:
    broken = outcome(FAIL, CONTENT, INVARIANT)
    found = verdict(case(5, 1), [GOOD, GOOD, BAD, broken, GOOD])
    assert (found.judgement.verdict, found.judgement.findings) == (FAIL, (CONTENT, INVARIANT))
    assert found.judgement.reason == ""
    assert found.case == case(5, 1)


@pytest.mark.parametrize("others", [[GOOD] * 4, [BAD] * 4])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_an_error_wins(others: list[Outcome], at: int) -> None:
    error = outcome(ERROR, reason="the engine broke off")
    found = verdict(case(), [*others[:at], error, *others[at:]])
    assert (found.judgement.verdict, found.judgement.reason) == (ERROR, "the engine broke off")


def test_a_finding_that_does_not_fail_a_run_decides_nothing() -> None:
    assert verdict(case(), [outcome(PASS, INVARIANT), *[GOOD] * 4]).judgement.verdict is PASS


def test_a_finding_that_would_not_fail_a_run_by_itself_decides_nothing() -> None:
    should = Finding("ROLLOUT-103", "", "")  # a SHOULD of an invariant; only the demand on the content failed this run
    runs = [GOOD, GOOD, GOOD, GOOD, outcome(FAIL, CONTENT, should)]
    assert verdict(case(5, 3), runs, lambda name: name != "ROLLOUT-103").judgement.verdict is PASS
    assert verdict(case(5, 3), runs).judgement.verdict is FAIL


def test_one_run_is_judged_as_it_is() -> None:
    once = outcome(FAIL, CONTENT, reason="as it was")
    assert verdict(case(1, 1), [once]) == replace(once, case=case(1, 1))
    scripted = replace(case(), live=None)
    assert verdict(scripted, [BAD, GOOD]) == replace(BAD, case=scripted)


@pytest.mark.parametrize(
    ("held", "runs", "share"),
    [
        # the lower ends of Wilson's 90% two-sided intervals, as any statistics package gives them
        (0, 10, 0.0),
        (1, 1, 0.2699),
        (3, 3, 0.5258),
        (5, 5, 0.6489),
        (5, 10, 0.2693),
        (9, 10, 0.6523),
        (10, 10, 0.7871),
        (95, 100, 0.9008),
        (100, 100, 0.9737),
    ],
)
def test_the_least_share(held: int, runs: int, share: float) -> None:
    assert least_share(held, runs) == pytest.approx(share, abs=1e-4)


def test_more_runs_prove_more_and_more_that_held_as_well() -> None:
    assert [least_share(n, n) for n in range(1, 20)] == sorted(least_share(n, n) for n in range(1, 20))
    assert [least_share(n, 20) for n in range(21)] == sorted(least_share(n, 20) for n in range(21))
    assert all(0.0 <= least_share(n, 20) <= n / 20 for n in range(21))
