"""Whether the findings of a run show again when their case is played alone: the `rerun` line of one that does not has to say so."""

import asyncio
import contextlib
from dataclasses import replace

from rollout_conformance.steps.engine.failure_report import Group, collapse
from rollout_conformance.steps.engine.findings import BROKEN, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import Run, rerun

MOST = 12  # findings that are tried again
LONGEST_S = 20.0  # for all of them
LONG_S = 5.0  # a case that took longer is not tried


async def repeated(run: Run, found: RunResults) -> None:
    """Play the first case of each finding once more, alone, and note in its outcome whether the finding shows again."""
    if run.options.jobs == 1 or run.runner.options.live:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_S):
            for group in _tried(run, found):
                again = await run.runner.played_alone(group.outcome.case)
                found.replace(group.outcome, _noted(run, group, again))


def _tried(run: Run, found: RunResults) -> list[Group]:
    """One group an outcome: the first that it is shown in."""
    groups = collapse(found.sorted(), run.profile.catalogue)
    worth = [group for group in groups if _is_worth_it(group.outcome)]
    return list({id(group.outcome): group for group in reversed(worth)}.values())[::-1][:MOST]


def _is_worth_it(outcome: Outcome) -> bool:
    """Whether another play may tell something new: of what is known as flaky there have been some."""
    return not outcome.alone and outcome.seconds <= LONG_S and outcome.repeats is None


def _noted(run: Run, group: Group, again: Outcome) -> Outcome:
    verdict = again.judgement.requirements.get(group.requirement.id)
    if verdict in BROKEN:
        return replace(group.outcome, repeats=True)
    if verdict is not Verdict.PASS:
        return group.outcome  # it was not judged: something else ended the case first
    return replace(group.outcome, repeats=False, rerun=rerun(run.options, group.outcome.case, alone=False))
