"""`run --soak`: plays the cases that can be repeated for a long time, and shows one verdict a case and what was measured."""

import asyncio
from dataclasses import replace
from functools import partial

import click

from rollout_conformance.steps.commands.conclusion import conclude, ended_early
from rollout_conformance.steps.commands.exit_code import FINDINGS, NO_JUDGEMENT, OK
from rollout_conformance.steps.commands.play_options import PlayOptions
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import ENDING
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.target_card import SoakBounds
from rollout_conformance.steps.live.backend_option import BOTH
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import ready, rerun
from rollout_conformance.steps.soak import bounds, lines, player
from rollout_conformance.steps.soak.plan import SoakPlan, repeatable, seconds_of
from rollout_conformance.steps.soak.player import Soak
from rollout_conformance.steps.soak.usage import usage_of

COMPARED = 5  # cases that are played once more, alone, to see how long they usually take


def plan_of(soak_time: str | None, rate: float | None, seed: int, backend: str) -> SoakPlan | None:
    """Raises `SuiteError` for options that do not go together."""
    if soak_time is None:
        if rate is not None:
            raise SuiteError("--rate: is how often a soak begins a case; write --soak TIME as well")
        return None
    if backend == BOTH:
        raise SuiteError("--soak: plays one backend; --backend both compares two")
    return SoakPlan(seconds_of(soak_time), rate, seed)


async def soak(found: RunResults, cases: list[Case], plan: SoakPlan, how: PlayOptions) -> int:
    """Play, print the findings, the summary and what was measured; gives the exit code. Raises `SuiteError` when no case can be repeated."""
    seen = Soak.of(plan)
    ENDING.last_words = lambda: _ended_early(found, seen, how)
    try:
        async with ready(found.options) as run:
            for line in run.remarks:
                click.echo(f"NOTE  {line}\n")
            mine = run.applicable(cases)
            repeated = repeatable(run, mine)
            if not repeated:
                raise SuiteError(f"--soak: none of the {len(mine)} cases can be played again and again beside others")
            click.echo(_told(len(repeated), len(mine)))
            found.begin(run, repeated)
            runner, instance = run.runner, await run.runner.target()
            measure = partial(usage_of, instance, runner.client, runner.options.card.path("/metrics"))
            await player.play(seen, repeated, run.options.jobs, runner.played_once, measure)
            for case in seen.tally.without_comparison()[:COMPARED]:
                seen.tally.add(await runner.played_alone(case))
            allowed = runner.options.card.soak
            _take_over(found, seen)
            found.close(aborted=False)
    except asyncio.CancelledError:
        if ENDING.reason is None:
            raise
        while (code := ENDING.speak(lambda: _ended_early(found, seen, how))) is None:
            await asyncio.sleep(1)
        return code
    finally:
        found.close(aborted=True)
    return _concluded(found, seen, how, allowed)


def _told(repeated: int, all_: int) -> str:
    rest = all_ - repeated
    why = "want the target for themselves, another configuration, or what it does not have"
    return f"Playing {repeated} of {all_} cases again and again{f'; {rest} {why}' if rest else ''}.\n"


def _take_over(found: RunResults, seen: Soak) -> None:
    """One outcome a case into the results of the run, and what was measured into its report."""
    for outcome in seen.tally.outcomes():
        found.add(replace(outcome, rerun=_again(found, seen, outcome.case)))
    found.planned = len(found.outcomes)
    if found.writer is not None:
        found.writer.soak(lines.members(seen))


def _again(found: RunResults, seen: Soak, case: Case) -> str:
    """The command of the whole soak: what happens once in a thousand plays does not show in one."""
    plan = seen.plan
    rate = "" if plan.rate is None else f" --rate {plan.rate:g}"
    return f"{rerun(found.options, case, alone=False)} --soak {plan.seconds:g}s{rate} --seed {plan.seed}"


def _concluded(found: RunResults, seen: Soak, how: PlayOptions, allowed: SoakBounds) -> int:
    code = conclude(found.options, found.sorted(), found.known, found.planned, how=how, seconds=found.seconds)
    _show(seen)
    beyond = list(bounds.exceeded(seen, allowed))
    for line in beyond:
        click.echo(f"BOUND  {line}")
    measured = [line for line in beyond if "not measured" not in line]
    if code == OK and beyond:
        return FINDINGS if measured else NO_JUDGEMENT
    return code


def _ended_early(found: RunResults, seen: Soak, how: PlayOptions) -> int:
    if not found.complete:
        _take_over(found, seen)
    code = ended_early(found, how)
    _show(seen)
    return code


def _show(seen: Soak) -> None:
    click.echo()
    for line in lines.lines(seen):
        click.echo(line)
