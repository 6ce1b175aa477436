"""`rollout-conformance explore`."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from hypothesis.configuration import set_hypothesis_home_dir

from rollout_conformance.steps.commands.exit_code import FINDINGS, NO_JUDGEMENT, OK
from rollout_conformance.steps.commands.numbers import WholeNumber
from rollout_conformance.steps.commands.target_options import target_options
from rollout_conformance.steps.engine import early_end
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.exploration.explore import Explored, explore, explore_fault_pairs, unexplorable
from rollout_conformance.steps.exploration.finding_text import finding_text
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.run_setup import RunOptions, ready


@click.command("explore")
@target_options
@click.option("--walks", type=WholeNumber(1), default=150, show_default=True, help="Walks per dialect.")
@click.option("--seed", type=int, default=None, help="Other walks than the ones of every run.")
@click.option(
    "--save-scenario",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write what is found to this folder, as scenarios.",
)
def command(walks: int, seed: int | None, save_scenario: Path | None, **options: Any) -> None:
    """Try orders of events that no case describes, and pairs of faults.

    What breaks a requirement is reduced to the shortest scenario that breaks it.
    """
    run_options = RunOptions(**options)
    profile = profile_of(run_options.profile)
    if profile.explore is None:
        raise SuiteError(unexplorable(profile))
    with tempfile.TemporaryDirectory(prefix="rollout-conformance-") as folder:
        set_hypothesis_home_dir(folder)  # else it writes what it caches into the folder that the user stands in
        try:
            found, judged = _explored(run_options, walks, seed, save_scenario)
        finally:
            set_hypothesis_home_dir(None)
    click.echo(f"seed: {'none, the same walks every time' if seed is None else seed}")
    if not judged:
        click.echo("Nothing was judged: every walk was skipped.", err=True)
    sys.exit(FINDINGS if found else OK if judged else NO_JUDGEMENT)


def _explored(run_options: RunOptions, walks: int, seed: int | None, save_scenario: Path | None) -> tuple[bool, bool]:
    """Whether something was found, and whether anything was judged."""
    found = judged = False
    for dialect in (run_options.dialect,) if run_options.dialect else early_end.run(_dialects(run_options)):
        for what, explored in (
            ("pairs of faults", explore_fault_pairs(run_options, dialect, 1 if seed is None else seed)),
            ("walks", explore(run_options, dialect, walks, seed)),
        ):
            _print(dialect, what, explored, save_scenario)
            found = found or explored.outcome is not None
            judged = judged or explored.unjudged is None
    return found, judged


def _print(dialect: str, what: str, explored: Explored, folder: Path | None) -> None:
    if explored.outcome is not None:
        click.echo(finding_text(explored, folder) + "\n")
    flaky = ", one of them failed once and not again" if explored.flaky else ""
    click.echo(f"{dialect}: {explored.walks} {what}, {explored.moves} steps in {explored.seconds:.1f} s{flaky}")
    for reason, times in explored.skips.items():
        click.echo(f"  skipped {times}: {reason}")


async def _dialects(run_options: RunOptions) -> tuple[str, ...]:
    async with ready(run_options) as run:
        return run.dialects
