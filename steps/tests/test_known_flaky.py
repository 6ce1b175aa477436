"""Known flaky cases: they are played again, a few times, and one that fails each time is red."""

import asyncio
from types import SimpleNamespace
from typing import cast

from rollout_conformance.steps import known_flaky
from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.run_summary import totals
from rollout_conformance.steps.run_setup import Run
from rollout_conformance.steps.tests.baseline_outcomes import MUST, OTHER, case, entry, outcome, told


def played(known: Baseline, *verdicts: str) -> tuple[Outcome, int]:
    """The outcome of a case whose plays break these requirements, and how many plays there were."""
    plays: list[str] = []

    async def play(_: Case) -> Outcome:
        plays.append(verdicts[len(plays)])
        return outcome("a", *([plays[-1]] if plays[-1] else ()))

    runner = SimpleNamespace(play=play, played_alone=play, options=SimpleNamespace(live=False))
    one = asyncio.run(known_flaky.played(cast("Run", SimpleNamespace(runner=runner)), case("a"), known))
    return known.marked(one), len(plays)


def test_a_known_flaky_case_is_played_again_until_it_passes() -> None:
    one, plays = played(Baseline([entry(flaky=3)]), MUST, MUST, "")
    assert (one.judgement.failed, one.judgement.flaky, plays) == (False, True, 3)
    assert totals([one]) == "1 case: 1 flaky"


def test_one_that_fails_each_time_is_red_and_says_so() -> None:
    known = Baseline([entry(flaky=2)])
    one, plays = played(known, MUST, MUST, MUST)
    assert (one.judgement.failed, plays) == (True, 3)
    assert told(known, [one]) == [
        "ROLLOUT-094 in any case is listed as flaky (old agent) but failed 3 times in a row: it is not flaky any more."
    ]


def test_what_is_not_listed_as_flaky_is_played_once() -> None:
    assert played(Baseline([entry(flaky=2)]), OTHER)[1] == 1
    assert played(Baseline([entry()]), MUST)[1] == 1


def test_a_known_flaky_case_that_passes_is_not_stale() -> None:
    known = Baseline([entry(flaky=2)])
    one, plays = played(known, "")
    assert plays == 1
    assert told(known, [one]) == []
