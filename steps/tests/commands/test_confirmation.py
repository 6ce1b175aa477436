"""A finding that does not show again when its case is played alone says so, and its rerun line plays the other cases as well."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from rollout_conformance.steps.commands.confirmation import repeated
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.failure_report import ONLY_BESIDE_OTHERS, collapse, finding_block
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import Run, RunOptions, rerun

PROFILE = profile_of("rollout")
ABOUT = "ROLLOUT-084"
CASE = Case("a case", "rollout", "sync", (ABOUT,), (), Location("scenarios/rollout/start.yaml", 1))
OPTIONS = RunOptions(target="http://127.0.0.1:1", jobs=8)


def outcome(verdict: Verdict, alone: bool = False, seconds: float = 0.1, about: str = ABOUT) -> Outcome:
    findings = (Finding(about, "one call", "two calls"),) if verdict is Verdict.FAIL else ()
    judgement = Judgement(verdict, {about: verdict}, findings)
    return Outcome(CASE, judgement, None, seconds, rerun(OPTIONS, CASE), alone=alone)


def noted(first: Outcome, again: Verdict, jobs: int = 8, about: str = ABOUT) -> Outcome:
    async def played_alone(case: Case) -> Outcome:
        return outcome(again, alone=True, about=about)

    options = RunOptions(target="http://127.0.0.1:1", jobs=jobs)
    runner = SimpleNamespace(options=SimpleNamespace(live=False), played_alone=played_alone)
    found = RunResults(options, None)
    found.outcomes.append(first)
    asyncio.run(repeated(cast(Run, SimpleNamespace(options=options, runner=runner, profile=PROFILE)), found))
    return found.outcomes[0]


def block(of: Outcome) -> str:
    return " ".join(finding_block(collapse([of], PROFILE.catalogue)[0]).split())


def test_a_finding_that_shows_again_alone_keeps_its_rerun_line() -> None:
    kept = noted(outcome(Verdict.FAIL), Verdict.FAIL)
    assert kept.repeats is True
    assert "--case 'a case'" in block(kept)
    assert ONLY_BESIDE_OTHERS not in block(kept)


def test_a_finding_that_does_not_show_again_says_so_and_is_rerun_beside_the_others() -> None:
    changed = noted(outcome(Verdict.FAIL), Verdict.PASS)
    assert changed.repeats is False
    assert ONLY_BESIDE_OTHERS in block(changed)
    assert changed.rerun.endswith("-j 8")
    assert "--case" not in changed.rerun


@pytest.mark.parametrize(
    ("first", "again", "jobs"),
    [
        (outcome(Verdict.FAIL, alone=True), Verdict.PASS, 8),
        (outcome(Verdict.FAIL, seconds=60), Verdict.PASS, 8),
        (outcome(Verdict.FAIL), Verdict.PASS, 1),
        (outcome(Verdict.FAIL), Verdict.ERROR, 8),
    ],
    ids=["it was alone", "it takes long", "one at a time", "could not be judged again"],
)
def test_nothing_is_said_of_what_was_not_tried(first: Outcome, again: Verdict, jobs: int) -> None:
    assert noted(first, again, jobs).repeats is None


def test_a_requirement_that_something_else_left_unjudged_alone_has_not_passed() -> None:
    assert noted(outcome(Verdict.FAIL), Verdict.FAIL, about="ROLLOUT-231").repeats is None
