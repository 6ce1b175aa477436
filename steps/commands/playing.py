"""Plays the cases of one run and shows what was found, also when the run is ended early."""

import asyncio
from collections.abc import Callable

import click

from rollout_conformance.steps import progress
from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.commands.conclusion import conclude, ended_early
from rollout_conformance.steps.commands.confirmation import repeated
from rollout_conformance.steps.commands.exit_code import NO_JUDGEMENT, OK
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import ENDING
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import Run, ready


async def judge(found: RunResults, cases: list[Case], known: Baseline) -> int:
    """Play these cases, print the findings and the summary; gives the exit code."""
    found.planned = len(cases)
    try:
        async with ready(found.options) as run:
            for line in run.remarks:
                click.echo(f"NOTE  {line}\n")
            mine, unjudged = run.applicable(cases), run.unjudged
            found.begin(run, mine)
            await play_all(run, mine, found.add)
            await repeated(run, found)
            found.close(aborted=False)
    except asyncio.CancelledError:
        if ENDING.reason is None:
            raise
        return await _concluded(lambda: ended_early(found, known))
    finally:
        found.close(aborted=True)
    code = await _concluded(lambda: conclude(found.options, found.sorted(), known, found.planned))
    if unjudged:
        click.echo(f"Not judged at all: dialect {', '.join(unjudged)}.", err=True)
    return NO_JUDGEMENT if unjudged and code == OK else code


async def _concluded(conclusion: Callable[[], int]) -> int:
    """Show the conclusion; where the watching thread shows it already, wait for that thread to end the process."""
    while (code := ENDING.speak(conclusion)) is None:
        await asyncio.sleep(1)
    return code


async def play_all(run: Run, cases: list[Case], done: Callable[[Outcome], None]) -> list[Outcome]:
    """Play the cases, slow ones first, and report each as it ends."""
    outcomes: list[Outcome] = []

    async def one(case: Case) -> None:
        outcome = await run.runner.play(case)
        if ENDING.reason is None:  # an outcome of the time when everything is being ended is no evidence
            outcomes.append(outcome)
            done(outcome)
            bar.update(1)

    with progress.shown(len(cases)) as bar:
        tasks = [asyncio.ensure_future(one(case)) for case in run.ordered(cases)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return sorted(outcomes, key=lambda outcome: outcome.case.id)
