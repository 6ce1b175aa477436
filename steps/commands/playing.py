"""Plays the cases of one run and shows what was found, also when the run is ended early."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import click

from rollout_conformance.steps import case_catalog, known_flaky, other_dialects, progress
from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.baseline_check import Scope
from rollout_conformance.steps.commands import exchange_log
from rollout_conformance.steps.commands.conclusion import conclude, ended_early
from rollout_conformance.steps.commands.confirmation import repeated
from rollout_conformance.steps.commands.exit_code import NO_JUDGEMENT, OK
from rollout_conformance.steps.commands.play_options import PLAIN, PlayOptions
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import ENDING, Reason
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import Run, ready


class FirstFailure(Exception):
    """A case failed in a run that ends at the first that does."""


async def judge(
    found: RunResults, cases: list[Case], loaded: Sequence[Case], how: PlayOptions = PLAIN, named: bool = False
) -> int:
    """Play these cases of those that were loaded, print the findings and the summary; gives the exit code. `named` when the user named the
    cases or their files, and is told of those that this target cannot play."""
    found.planned = len(cases) * how.repeat
    try:
        async with ready(found.options) as run:
            for line in run.remarks:
                click.echo(f"NOTE  {line}\n")
            mine, unjudged = run.applicable(cases) * how.repeat, run.unjudged
            scope = _scope(run, loaded)
            found.begin(run, mine)
            if named:
                found.not_played = other_dialects.lines(cases, run.dialects, found.options)
            if how.verbose:
                run.runner.on_exchange = partial(exchange_log.show, bodies=how.verbose > 1, target=run.target)
            await play_all(run, mine, found.add, found.known, how)
            await repeated(run, found)
            found.close(aborted=False)
    except FirstFailure:
        return await _concluded(lambda: ended_early(found, how, Reason("--fail-fast")))
    except asyncio.CancelledError:
        if ENDING.reason is None:
            raise
        return await _concluded(lambda: ended_early(found, how))
    finally:
        found.close(aborted=True)
    code = await _concluded(
        lambda: conclude(
            found.options,
            found.sorted(),
            found.known,
            found.planned,
            scope=scope,
            how=how,
            not_played=found.not_played,
            seconds=found.seconds,
        )
    )
    if unjudged:
        click.echo(f"Not judged at all: dialect {', '.join(unjudged)}.", err=True)
    return NO_JUDGEMENT if unjudged and code == OK else code


async def _concluded(conclusion: Callable[[], int]) -> int:
    """Show the conclusion; where the watching thread shows it already, wait for that thread to end the process."""
    while (code := ENDING.speak(conclusion)) is None:
        await asyncio.sleep(1)
    return code


def _scope(run: Run, loaded: Sequence[Case]) -> Scope:
    """What this run could judge: the cases that were loaded, and where those were named, all that the suite ships as well."""

    def cases() -> Iterator[Case]:
        yield from loaded
        yield from case_catalog.every(run.profile.name)

    return Scope(cases, None if run.options.dialect else frozenset(run.dialects))


async def play_all(
    run: Run,
    cases: list[Case],
    done: Callable[[Outcome], None],
    known: Baseline | None = None,
    how: PlayOptions = PLAIN,
) -> list[Outcome]:
    """Play the cases, slow ones first, and report each as it ends. What `known` lists as flaky is played again where it fails.

    Raises `FirstFailure` where `how` asks for that.
    """
    outcomes: list[Outcome] = []
    listed = known or Baseline(level=run.options.level)

    async def one(case: Case) -> None:
        outcome = await known_flaky.played(run, case, listed)
        if ENDING.reason is None:  # an outcome of the time when everything is being ended is no evidence
            outcomes.append(outcome)
            done(outcome)
            failed = listed.marked(outcome).judgement.failed
            bar.update(1, failed)
            if how.fail_fast and failed:
                raise FirstFailure

    with progress.shown(len(cases), quiet=how.verbose > 0, in_flight=run.runner.in_flight) as bar:
        tasks = [asyncio.ensure_future(one(case)) for case in run.ordered(cases)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return sorted(outcomes, key=lambda outcome: outcome.case.id)
