"""Plays a case; one that fails as a known-flaky one does is played again, alone, as often as its entry in the baseline allows.

The bound is what keeps the class honest: a case that fails each time is no longer flaky, and fails the run.
"""

from dataclasses import replace

from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.run_setup import Run


async def played(run: Run, case: Case, known: Baseline) -> Outcome:
    """The outcome of the first play. Its `repeats` is False where what is known as flaky did not show in a later one."""
    outcome = await run.runner.play(case)
    plays = known.plays(outcome)
    for _ in range(plays):
        again = await (run.runner.play(case) if run.runner.options.live else run.runner.played_alone(case))
        if again.judgement.verdict is not Verdict.ERROR and not known.shows_again(outcome, again):
            return replace(outcome, repeats=False)
    return replace(outcome, repeats=True) if plays else outcome
