"""`rollout-conformance lint`."""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from rollout_conformance.steps import case_files, collector, lint, report_register
from rollout_conformance.steps.commands import watching
from rollout_conformance.steps.commands.exit_code import FINDINGS, OK
from rollout_conformance.steps.commands.left_out import note_left_out
from rollout_conformance.steps.commands.watching import watch_option
from rollout_conformance.steps.engine.run_summary import plural
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import PROFILES, profile_of
from rollout_conformance.steps.profiles.base import Profile


@click.command("lint")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--profile", default=None, help=f"Only this profile ({', '.join(PROFILES)}); FILES are read as cases of it."
)
@click.option("--card", type=click.Path(path_type=Path), help="Card that declares the variants of FILES.")
@click.option("--leave-others", is_flag=True, help="Leave FILES alone that name no requirement, as those of a folder.")
@click.option("--list", "listing", is_flag=True, help="List every case.")
@watch_option
def command(
    files: tuple[Path, ...], profile: str | None, card: Path | None, leave_others: bool, listing: bool, watch: bool
) -> None:
    """Check cases, phrases, catalogues and words without a target.

    With FILES and folders, only the cases in them are checked.
    """
    if watch:
        sys.exit(watching.repeat(files or _shipped(), [card]))
    if leave_others and files:
        files = tuple(file for file in files if file.is_dir() or case_files.is_ours(file))
        if not files:
            sys.exit(OK)
    with collector.paused():
        code = _checked(files, profile, card, listing)
    sys.exit(code)


def _shipped() -> list[Path]:
    return [ROOT / folder for folder in ("features", "scenarios", "contracts", "docs")]


def _checked(files: tuple[Path, ...], profile: str | None, card: Path | None, listing: bool) -> int:
    """Print what is wrong; gives the exit code."""
    named = profile_of(profile) if profile is not None else None
    shipped = [named] if named is not None else PROFILES.working()
    checked = lint.of_files(files, named, card) if files else lint.of_profiles(shipped)
    has_misspelled = note_left_out(files)
    for told in PROFILES.problems() if not files and named is None else ():
        click.echo(f"note: {told}", err=True)
    problems = checked.problems if files else [*lint.words(), *checked.problems, *_in_registers(shipped)]
    for line in problems:
        click.echo(line)
    for told in lint.remarks(checked) if files else ():
        click.echo(f"NOTE  {told}", err=True)
    for name, some in checked.cases.items() if not problems else ():
        for case in some if listing else []:
            click.echo(f"{case.at}  {case.name}[{case.dialect}]  {' '.join(case.requirements)}")
        click.echo(f"{name}: {plural(len(some), 'case')}, nothing wrong")
    return FINDINGS if problems or has_misspelled else OK


def _in_registers(profiles: Iterable[Profile]) -> list[str]:
    return [line for one in profiles for line in asyncio.run(report_register.problems(one.name))]
