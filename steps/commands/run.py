"""`rollout-conformance run`."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from rollout_conformance.steps import baseline_file, case_catalog, case_selection, other_dialects
from rollout_conformance.steps import dry_run as dry
from rollout_conformance.steps.commands import comparison, on_cluster, options_of_pytest, soaking, watching
from rollout_conformance.steps.commands.conclusion import ended_early
from rollout_conformance.steps.commands.exit_code import NO_JUDGEMENT, OK
from rollout_conformance.steps.commands.left_out import note_left_out
from rollout_conformance.steps.commands.numbers import Number, WholeNumber
from rollout_conformance.steps.commands.on_cluster import Chosen
from rollout_conformance.steps.commands.play_options import play_options, taken
from rollout_conformance.steps.commands.playing import judge
from rollout_conformance.steps.commands.target_options import target_options
from rollout_conformance.steps.commands.watching import watch_option
from rollout_conformance.steps.engine import early_end, lateness
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import ENDING
from rollout_conformance.steps.live.backend_option import BOTH, SCRIPTED
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import RunOptions, card_of
from rollout_conformance.steps.sharding import Shard


@click.command("run", cls=options_of_pytest.Command)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True))
@target_options
@play_options
@click.option(
    "--case",
    "patterns",
    multiple=True,
    help="Only cases with this in their name, id, file or requirements; * stands for any text. May be repeated.",
)
@click.option(
    "--shard", metavar="I/N", help="Only the part I of N parts of the cases; `merge` joins the reports of the parts."
)
@click.option(
    "--exclusive",
    type=click.Choice(["with", "without", "only"]),
    default="with",
    show_default=True,
    help="Whether cases that want the target for themselves, or may leave it otherwise than they found it, are played.",
)
@click.option("--on", metavar="ray[:ADDRESS]", help="Play on the machines of a Ray cluster, or on a local one.")
@click.option(
    "--soak",
    "soak_time",
    metavar="TIME",
    help="Play the cases that can be repeated again and again for this time (90s, 10m, 2h).",
)
@click.option(
    "--rate",
    type=Number(0, min_open=True),
    metavar="N",
    help="With --soak: begin N cases a second. Default: as many as -j allows.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="With --soak: of the order of the cases.")
@click.option(
    "--level",
    type=click.Choice(["must", "should", "may"]),
    default="must",
    show_default=True,
    help="Weakest level that fails the run.",
)
@click.option(
    "--nulls",
    type=click.Choice(["compat", "strict"]),
    default="compat",
    show_default=True,
    help="Whether a null member equals an absent one.",
)
@click.option(
    "--backend",
    default="scripted",
    show_default=True,
    metavar="scripted|tiny|live|both|replay:DIR",
    help="What generates: the script or a live model; both compares.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path, file_okay=False),
    help="Record the responses of a live model in this folder.",
)
@click.option(
    "--report", "report_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the NDJSON report here."
)
@click.option("--baseline", "known_file", type=click.Path(path_type=Path), help="YAML list of known failures.")
@click.option("-j", "--jobs", type=WholeNumber(1), default=32, show_default=True, help="Cases in flight at once.")
@click.option(
    "--max-body",
    type=WholeNumber(1),
    default=64,
    show_default=True,
    metavar="MIB",
    help="Read no body of the target beyond this size.",
)
@click.option(
    "--max-time",
    type=Number(0, min_open=True),
    default=900,
    show_default=True,
    metavar="SECONDS",
    help="End the run after this time and show what was found; exit code 1 with findings, else 2.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print what would be played, and ask nothing of the target; -v lists each case."
)
@watch_option
def command(
    files: tuple[Path, ...],
    patterns: tuple[str, ...],
    shard: str | None,
    report_file: Path | None,
    known_file: Path | None,
    nulls: str,
    max_time: float,
    exclusive: str,
    on: str | None,
    soak_time: str | None,
    rate: float | None,
    seed: int,
    dry_run: bool,
    watch: bool,
    **given: Any,
) -> None:
    """Judge a target by every case that applies to it, or by those in FILES and folders.

    FILES are scenarios (.yaml) and features (.feature). Without --profile, their profile is that of the requirements they name.
    """
    if watch:
        sys.exit(watching.repeat(files or _shipped(given["profile"]), [given["card"], known_file]))
    how = taken(given)
    part = Shard.read(shard) if shard else Shard(1, 1)
    on_cluster.check_options(
        on, how, shard=shard, soak=soak_time, exclusive=exclusive != "with", both=given["backend"] == BOTH
    )
    plan = soaking.plan_of(soak_time, rate, seed, given["backend"])
    if plan is not None and not _is_given("max_time"):
        max_time += plan.seconds
    paths = case_catalog.within(files)
    note_left_out(files)
    by_requirements = bool(paths) and not _is_given("profile")
    if by_requirements:
        given["profile"] = case_catalog.profile_among(paths).name
    run_options = RunOptions(strict=nulls == "strict", **given)
    meant = partial(_meant, patterns=patterns, part=part, profile=profile_of(run_options.profile), exclusive=exclusive)
    if dry_run:
        cases = meant(_loaded(run_options, paths, by_requirements))
        sys.exit(early_end.run(_dry_run(run_options, cases, how.verbose > 0, named=bool(files or patterns))))
    if run_options.target is None and run_options.backend == SCRIPTED:
        click.echo(
            f"NOTE  No --target is given: the reference of the profile {run_options.profile} is judged.", err=True
        )
    with ENDING.bounded(max_time, f"--max-time {max_time:g}"):
        found = RunResults(run_options, report_file, baseline_file.load(known_file, run_options.level))
        if run_options.backend != BOTH:
            ENDING.last_words = lambda: ended_early(found, how)
        loaded = _loaded(run_options, paths, by_requirements)
        cases = meant(loaded)
        lateness.set_aside()
        if run_options.backend == BOTH:
            comparison.check_options(how, known_file)
            sys.exit(early_end.run(comparison.compare_backends(run_options, cases, report_file)))
        if on is not None:
            sys.exit(early_end.run(on_cluster.judge(found, Chosen(cases, loaded, tuple(paths), patterns), how, on)))
        if plan is not None:
            sys.exit(early_end.run(soaking.soak(found, cases, plan, how)))
        sys.exit(early_end.run(judge(found, cases, loaded, how, named=bool(files or patterns))))


async def _dry_run(run_options: RunOptions, cases: list[Case], every: bool, named: bool) -> int:
    planned = await dry.dry_run(run_options, cases)
    for line in dry.lines(planned, every=every):
        click.echo(line)
    for line in other_dialects.lines(cases, planned.dialects, run_options) if named else ():
        click.echo(line)
    return OK if planned.plays else NO_JUDGEMENT


def _meant(
    loaded: Sequence[Case], patterns: tuple[str, ...], part: Shard, profile: Profile, exclusive: str
) -> list[Case]:
    """Those of the cases that the options choose."""
    return part.of(case_selection.sharing(case_selection.chosen(loaded, patterns), profile, exclusive))


def _shipped(profile: str) -> list[Path]:
    """The folders of the cases that the suite ships."""
    return sorted({file.parent for file in case_catalog.files(profile_of(profile).name)})


def _loaded(run_options: RunOptions, paths: list[Path], by_requirements: bool) -> list[Case]:
    """The cases in these files, or those that the suite ships."""
    profile = profile_of(run_options.profile)
    cases = case_catalog.among(paths or case_catalog.files(profile.name), profile, found_out=by_requirements)
    case_catalog.known_variants(cases, profile, card_of(run_options, profile))
    return cases


def _is_given(option: str) -> bool:
    """Whether the user wrote an option; otherwise its value is the default."""
    return click.get_current_context().get_parameter_source(option) is not ParameterSource.DEFAULT
