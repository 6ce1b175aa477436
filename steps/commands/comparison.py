"""`run --backend both`: the same cases by script and with a live model, and where the two disagree."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import click

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.commands.play_options import PlayOptions
from rollout_conformance.steps.commands.playing import play_all
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.live import divergence, engine
from rollout_conformance.steps.live.backend_option import LIVE, SCRIPTED
from rollout_conformance.steps.live.divergence import Divergence, Played
from rollout_conformance.steps.live.engine import EngineOptions
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.profiles import PROFILES, profile_of
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import RunOptions, ready


def check_options(how: PlayOptions, known_file: Path | None) -> None:
    """Raises `SuiteError` for options that are about one run, where there are two."""
    outputs = {one.name for one in fields(how.outputs) if getattr(how.outputs, one.name) is not None}
    others = {
        "baseline": known_file,
        "write-baseline": how.written_file,
        "repeat": how.repeat > 1,
        "fail-fast": how.fail_fast,
    }
    if given := sorted(outputs | {name for name, value in others.items() if value}):
        raise SuiteError(
            f"--{given[0]} is about one run, and --backend both compares two. Write --backend live (or scripted) for it; "
            "--report FILE of --backend both writes the comparison, and beside it a report of each run."
        )


async def compare_backends(run_options: RunOptions, cases: list[Case], report_file: Path | None) -> int:
    """The same cases by script and live, and the engine by the profiles that judge one; prints whether to deploy, gives the exit code."""
    if run_options.record is not None:
        raise SuiteError("--record records one live session, and both is two runs: write --backend live.")
    of_engines = [profile.name for profile in PROFILES.working() if profile.live_target is not None]
    judged = {run_options.profile: cases}
    judged |= {name: case_catalog.every(name) for name in of_engines if name != run_options.profile}
    if not any(case.live is not None for case in cases):
        raise SuiteError(
            "--backend both: none of these cases states what it demands of a live model (`live:` in its file)."
        )
    async with engine.running(EngineOptions.from_environment()) as model:
        engine_options = EngineOptions(model.base_url, model.model, model.key)
        parts = [
            await _compared(
                _options_for(run_options, profile, model, engine_options),
                [case for case in some if case.live is not None],
                report_file,
            )
            for profile, some in judged.items()
        ]
    found = divergence.together(parts)
    for line in divergence.lines(found):
        click.echo(line)
    if report_file is not None:
        divergence.write(report_file, found)
        for line in _next(report_file, list(judged)):
            click.echo(line)
    return divergence.exit_code(found)


def _options_for(run_options: RunOptions, profile: str, model: Engine, engine_options: EngineOptions) -> RunOptions:
    """The engine is judged with a card of its own only when it is the tiny model that the card describes."""
    if profile == run_options.profile:
        return replace(run_options, engine_options=engine_options)
    card = profile_of(profile).reference.card if model.model == engine.NAME else None
    return RunOptions(
        profile=profile,
        card=card,
        tokenizer=run_options.tokenizer,
        level=run_options.level,
        jobs=run_options.jobs,
        engine_options=engine_options,
    )


def report_of(report_file: Path, profile: str, backend: str) -> Path:
    """Where the report of one of the runs is written, beside the comparison."""
    return report_file.with_name(f"{report_file.stem}.{profile}.{backend}{report_file.suffix}")


def _next(report_file: Path, profiles: list[str]) -> Iterator[str]:
    """What to do with the reports of the runs."""
    yield f"The comparison is in {report_file}. Each run has a report of its own, for `report`, `diff` and the others:"
    for profile in profiles:
        scripted, live = (report_of(report_file, profile, name) for name in (SCRIPTED, LIVE))
        yield f"  rollout-conformance report {live} --beside {scripted}"


async def _compared(run_options: RunOptions, cases: list[Case], report_file: Path | None) -> Divergence:
    played: list[Played] = []
    for name in (SCRIPTED, LIVE):
        options = replace(run_options, backend=name)
        file = report_of(report_file, options.profile, name) if report_file is not None else None
        results = RunResults(options, file)
        try:
            async with ready(options) as run:
                mine = run.applicable(cases)
                results.begin(run, mine)
                outcomes = await play_all(run, mine, results.add)
                results.close(aborted=False)
        finally:
            results.close(aborted=True)
        played.append(divergence.of_run(run.engine, run.peers.drifts(), outcomes))
    return divergence.compared(played[0], played[1])
