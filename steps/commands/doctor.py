"""`rollout-conformance doctor`."""

import sys
from collections.abc import Collection, Iterable
from typing import Any

import click

from rollout_conformance.steps import case_catalog, reward_zero
from rollout_conformance.steps.commands.exit_code import FINDINGS, NO_JUDGEMENT, OK
from rollout_conformance.steps.commands.playing import play_all
from rollout_conformance.steps.commands.target_options import target_options
from rollout_conformance.steps.engine import early_end, lateness, shared_causes
from rollout_conformance.steps.engine.causes import Cause
from rollout_conformance.steps.engine.failure_report import finding_block
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.outputs.facts import RunFacts
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.run_setup import RunOptions, ready


@click.command("doctor")
@target_options
@click.option("-v", "--verbose", is_flag=True, help="Show the evidence of what is broken.")
def command(verbose: bool, **given: Any) -> None:
    """Find out why the reward is zero: judge what can cause it, most likely cause first.

    Exit code 1 when a cause was found, 2 when nothing could be judged.
    """
    reward_zero.causes(given["profile"])
    lateness.set_aside()
    sys.exit(early_end.run(_examined(RunOptions(**given), verbose)))


def leading(found: Iterable[Cause], shown: Collection[str]) -> list[str]:
    """The broken requirements, the most likely first cause on top. What follows from one that is not among the `shown` evidence leads by itself,
    with all of its cases."""

    def place(one: Cause) -> tuple[bool, int]:
        freed = one.after is not None and one.after not in shown
        return one.after in shown, -(one.cases if freed else one.first)

    return [one.requirement.id for one in sorted(found, key=place)]


async def _examined(run_options: RunOptions, verbose: bool) -> int:
    profile = profile_of(run_options.profile)
    wanted = {name for one in reward_zero.causes(profile.name) for name in one.requirements}
    cases = [case for case in case_catalog.every(profile.name) if wanted & set(case.requirements)]
    async with ready(run_options) as run:
        for line in run.remarks:
            click.echo(printable(f"NOTE  {line}\n"))
        outcomes = await play_all(run, run.applicable(cases), lambda _: None)
    joined = shared_causes.joined(outcomes, profile.ends_by_itself)
    facts = RunFacts(profile.name, run.target, "must", profile.catalogue, joined, "")
    shown = {breach.requirement for one in reward_zero.diagnoses(profile.name, joined) for breach in one.broken}
    found = reward_zero.diagnoses(profile.name, joined, leading(facts.causes, shown))
    if verbose:
        for group in facts.groups:
            if group.requirement.id in wanted:
                click.echo(finding_block(group) + "\n")
    for line in reward_zero.lines(found):
        click.echo(line)
    if any(one.broken for one in found):
        return FINDINGS
    return OK if any(one.kept for one in found) else NO_JUDGEMENT
