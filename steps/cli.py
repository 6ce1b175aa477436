"""The command line: the same engine and the same verdicts as under pytest.

Exit codes: 0 nothing required is broken, 1 findings, 2 could not judge (bad input, dead target, nothing executed).
"""

import asyncio
import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from rollout_conformance.steps import baseline, case_catalog, lint, progress, smoke_check, suite_faults
from rollout_conformance.steps import serve as servers
from rollout_conformance.steps.engine import early_end, html, lateness, report_file, shared_causes
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import ENDING, Reason
from rollout_conformance.steps.engine.failure_report import collapse, finding_block, summary
from rollout_conformance.steps.engine.findings import SuiteError, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.live import divergence, engine
from rollout_conformance.steps.live.backend_option import BOTH, LIVE, SCRIPTED
from rollout_conformance.steps.live.divergence import Divergence, Played
from rollout_conformance.steps.live.engine import EngineOptions
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.profiles.chat.profile import PROFILE as CHAT_PROFILE
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import PROFILES, Run, RunOptions, card_of, profile_of, ready

OK, FINDINGS, NO_JUDGEMENT, INTERRUPTED = 0, 1, 2, 130
CHAT = CHAT_PROFILE.name


class _Address(click.ParamType[tuple[str, int]]):
    name = "HOST:PORT"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            self.fail(f"{value!r} is not HOST:PORT; write 127.0.0.1:0 for any free port", param, ctx)
        return host, int(port)


def _target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("--profile", default="rollout", show_default=True, help="What kind of system is judged."),
        click.option("--dialect", default=None, help="Judge only this dialect; default: all that the target shows."),
        click.option(
            "--target", default=None, help="app:module:factory | http://host:port | cmd:'command with {port}'."
        ),
        click.option("--card", type=click.Path(path_type=Path), help="YAML file that describes the target."),
        click.option("--target-key", default=None, help="Key to send to the target."),
        click.option("--tokenizer", type=click.Path(path_type=Path), help="Local tokenizer directory for both sides."),
        click.option("--tokenizer-name", default=None, help="The name by which the target knows that tokenizer."),
        click.option(
            "--model", default=None, help="The model to ask the target for (chat, router, live).", metavar="NAME"
        ),
        click.option(
            "--listen", type=_Address(), default="127.0.0.1:0", show_default=True, help="Where our trainer listens."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rollout-conformance")
def cli() -> None:
    """Is this server fit to train on? If not: which requirement does it break, where, and how do I see it again?"""


@cli.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True))
@_target_options
@click.option(
    "--case", "patterns", multiple=True, help="Only cases whose name, id, file or requirement matches (* allowed)."
)
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
    help="Whether null and absent are one.",
)
@click.option(
    "--backend",
    default="scripted",
    show_default=True,
    metavar="scripted|live|both|replay:DIR",
    help="Who plays the model; both compares.",
)
@click.option(
    "--record", type=click.Path(path_type=Path, file_okay=False), help="Keep what a live model said in this folder."
)
@click.option(
    "--report", "report_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the NDJSON report here."
)
@click.option("--baseline", "baseline_file", type=click.Path(path_type=Path), help="YAML list of known failures.")
@click.option("-j", "--jobs", type=click.IntRange(1), default=32, show_default=True, help="Cases in flight at once.")
@click.option(
    "--max-body",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    metavar="MIB",
    help="No body of the target is read beyond this.",
)
@click.option(
    "--max-time",
    type=click.FloatRange(0, min_open=True),
    default=900,
    show_default=True,
    metavar="SECONDS",
    help="End the run after so long and show what was found; exit code 1 with findings, else 2.",
)
def run(
    files: tuple[Path, ...],
    patterns: tuple[str, ...],
    report_file: Path | None,
    baseline_file: Path | None,
    nulls: str,
    max_time: float,
    **options: Any,
) -> None:
    """Judge a target by every case that applies to it, or by those in FILES and folders: scenarios (.yaml) and features (.feature).

    Without --profile, FILES are of the profile whose requirements they name.
    """
    paths = case_catalog.within(files)
    found_out = bool(paths) and not _is_given("profile")
    if found_out:
        options["profile"] = case_catalog.profile_among(paths).name
    run_options = RunOptions(strict=nulls == "strict", **options)
    with ENDING.bounded(max_time, f"--max-time {max_time:g}"):
        sys.exit(_judged(run_options, paths, found_out, patterns, report_file, baseline_file))


def _judged(
    run_options: RunOptions,
    paths: Sequence[Path],
    found_out: bool,
    patterns: tuple[str, ...],
    report_file: Path | None,
    baseline_file: Path | None,
) -> int:
    profile = profile_of(run_options.profile)
    known = baseline.load(baseline_file)
    found = RunResults(run_options, report_file)
    if run_options.backend != BOTH:
        ENDING.last_words = lambda: _ended_early(found, known)
    known_cases = case_catalog.among(paths, profile, found_out=found_out) if paths else case_catalog.every(profile.name)
    case_catalog.known_variants(known_cases, profile, card_of(run_options, profile))
    cases = list(case_catalog.chosen(known_cases, patterns))
    if not cases:
        raise SuiteError(
            f"--case {' '.join(patterns)}: no case matches. `rollout-conformance lint --list` lists them all."
        )
    lateness.set_aside()
    if run_options.backend == BOTH:
        return early_end.run(_both(run_options, cases, report_file))
    return early_end.run(_run(found, cases, known))


def _is_given(option: str) -> bool:
    """Whether the user wrote an option, or its default stands."""
    return click.get_current_context().get_parameter_source(option) is not click.core.ParameterSource.DEFAULT


async def _both(run_options: RunOptions, cases: list[Case], report_file: Path | None) -> int:
    """The same cases by script and live, and the engine itself by its own profile; says whether to deploy."""
    if run_options.record is not None:
        raise SuiteError("--record keeps one live session, and both is two runs: write --backend live.")
    judged = {run_options.profile: cases, CHAT: [] if run_options.profile == CHAT else case_catalog.every(CHAT)}
    if not any(case.live is not None for case in cases):
        raise SuiteError(
            "--backend both: none of these cases says what it demands of a live model (`live:` in its file)."
        )
    async with engine.running(EngineOptions.from_environment()) as model:
        engine_options = EngineOptions(model.base_url, model.model, model.key)
        parts = [
            await _compared(
                _options_for(run_options, profile, model, engine_options),
                [case for case in some if case.live is not None],
            )
            for profile, some in judged.items()
            if some
        ]
    found = divergence.together(parts)
    for line in divergence.lines(found):
        click.echo(line)
    if report_file is not None:
        divergence.write(report_file, found)
    return divergence.exit_code(found)


def _options_for(run_options: RunOptions, profile: str, model: Engine, engine_options: EngineOptions) -> RunOptions:
    """The engine is judged as what it is, whatever the target of the run; what only its card knows counts for the tiny model alone."""
    if profile == run_options.profile:
        return replace(run_options, engine_options=engine_options)
    card = profile_of(profile).default_card if model.model == engine.NAME else None
    return RunOptions(
        profile=profile,
        card=card,
        tokenizer=run_options.tokenizer,
        level=run_options.level,
        jobs=run_options.jobs,
        engine_options=engine_options,
    )


async def _compared(run_options: RunOptions, cases: list[Case]) -> Divergence:
    played: list[Played] = []
    for name in (SCRIPTED, LIVE):
        async with ready(replace(run_options, backend=name)) as judged:
            outcomes = await _play(judged, judged.applicable(cases), lambda outcome: None)
            played.append(divergence.of_run(judged, outcomes))
    return divergence.compared(played[0], played[1])


async def _run(found: RunResults, cases: list[Case], known: baseline.Baseline) -> int:
    found.planned = len(cases)
    try:
        async with ready(found.options) as judged:
            for line in judged.remarks:
                click.echo(f"NOTE  {line}\n")
            mine, unjudged = judged.applicable(cases), judged.unjudged
            found.begin(judged, mine)
            await _play(judged, mine, found.add)
            found.close(aborted=False)
    except asyncio.CancelledError:
        if ENDING.reason is None:
            raise
        return await _spoken(lambda: _ended_early(found, known))
    finally:
        found.close(aborted=True)
    code = await _spoken(lambda: _conclude(found.options, found.sorted(), known, found.planned))
    if unjudged:
        click.echo(f"Not judged at all: dialect {', '.join(unjudged)}.", err=True)
    return NO_JUDGEMENT if unjudged and code == OK else code


def _ended_early(found: RunResults, known: baseline.Baseline) -> int:
    reason = ENDING.reason or Reason("an interruption", INTERRUPTED)
    with contextlib.suppress(OSError):  # the terminal may be what has gone
        return found.end_early(
            reason, lambda outcomes, planned: _conclude(found.options, outcomes, known, planned, reason)
        )
    return NO_JUDGEMENT if reason.code is None else reason.code


async def _spoken(words: Callable[[], int]) -> int:
    """What was found is shown here, or is being shown by whoever lost patience with this thread, and who then ends the process."""
    while (code := ENDING.speak(words)) is None:
        await asyncio.sleep(1)
    return code


async def _play(judged: Run, cases: list[Case], done: Callable[[Outcome], None]) -> list[Outcome]:
    """Play the cases, slow ones first, and report each as it ends."""
    outcomes: list[Outcome] = []

    async def one(case: Case) -> None:
        outcome = await judged.runner.play(case)
        if ENDING.reason is None:  # what is judged while everything is being ended is no evidence
            outcomes.append(outcome)
            done(outcome)
            bar.update(1)

    with progress.shown(len(cases)) as bar:
        tasks = [asyncio.ensure_future(one(case)) for case in judged.ordered(cases)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return sorted(outcomes, key=lambda outcome: outcome.case.id)


def _conclude(
    run_options: RunOptions,
    outcomes: list[Outcome],
    known: baseline.Baseline,
    planned: int,
    ended: Reason | None = None,
) -> int:
    profile = profile_of(run_options.profile)
    catalogue, outcomes = profile.catalogue, shared_causes.joined(outcomes, profile.ends_by_itself)
    unexcused = [outcome for outcome in outcomes if known.excuses(outcome) is None]
    groups = collapse(unexcused, catalogue)
    for group in groups:
        click.echo(finding_block(group) + "\n")
    click.echo(summary(unexcused, catalogue, run_options.level, whole=ended is None, not_fit=profile.not_fit))
    failed = any(outcome.judgement.verdict is Verdict.FAIL for outcome in unexcused)
    if ended is not None:
        click.echo(f"Ended early by {ended.text}: {len(outcomes)} of {planned or '?'} cases had been played.")
        return FINDINGS if failed else NO_JUDGEMENT
    stale = known.stale()
    for line in stale:
        click.echo(f"BASELINE  {line}")
    executed = sum(outcome.judgement.verdict not in (Verdict.SKIP, Verdict.ERROR) for outcome in outcomes)
    if executed == 0 or len(outcomes) != planned:
        click.echo(f"Nothing was judged: {executed} of {planned} planned cases were executed.", err=True)
        return NO_JUDGEMENT
    if not any(outcome.judgement.requirements for outcome in outcomes):
        click.echo("Nothing was judged: no case gave evidence for a requirement, for the reasons above.", err=True)
        return NO_JUDGEMENT
    if failed or stale:
        return FINDINGS
    return NO_JUDGEMENT if any(o.judgement.verdict is Verdict.ERROR for o in outcomes) else OK


@cli.command()
@_target_options
@click.option("--walks", type=click.IntRange(1), default=150, show_default=True, help="Walks a dialect.")
@click.option("--seed", type=int, default=None, help="Other walks than those of every run.")
@click.option(
    "--save-scenario", type=click.Path(path_type=Path, file_okay=False), help="Keep what is found in this folder."
)
def explore(walks: int, seed: int | None, save_scenario: Path | None, **options: Any) -> None:
    """Try orders of events that nobody wrote down, and pairs of faults; shrink what breaks something to a scenario."""
    from rollout_conformance.steps.exploration.explore import explore as walk
    from rollout_conformance.steps.exploration.explore import explore_fault_pairs
    from rollout_conformance.steps.exploration.pytest_items import told

    run_options = RunOptions(**options)
    if (instead := profile_of(run_options.profile).unexplored) != "":
        raise SuiteError(f"explore --profile {run_options.profile}: {instead}.")
    found = judged = False
    for dialect in (run_options.dialect,) if run_options.dialect else early_end.run(_dialects(run_options)):
        for what, explored in (
            ("pairs of faults", explore_fault_pairs(run_options, dialect, 1 if seed is None else seed)),
            ("walks", walk(run_options, dialect, walks, seed)),
        ):
            if explored.outcome is not None:
                found = True
                click.echo(told(explored, save_scenario) + "\n")
            flaky = ", one of them failed once and not again" if explored.flaky else ""
            click.echo(f"{dialect}: {explored.walks} {what}, {explored.moves} steps in {explored.seconds:.1f} s{flaky}")
            for reason, times in explored.skips.items():
                click.echo(f"  skipped {times}: {reason}")
            judged = judged or explored.unjudged is None
    click.echo(f"seed: {'none, the same walks every time' if seed is None else seed}")
    if not judged:
        click.echo("Nothing was judged: every walk was skipped.", err=True)
    sys.exit(FINDINGS if found else OK if judged else NO_JUDGEMENT)


async def _dialects(run_options: RunOptions) -> tuple[str, ...]:
    async with ready(run_options) as judged:
        return judged.dialects


@cli.command()
@_target_options
def smoke(**options: Any) -> None:
    """Is the target reachable and sane, before any talk of conformance?"""
    sys.exit(early_end.run(smoke_check.smoke(RunOptions(**options), click.echo)))


@cli.command("report")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Default: FILE with .html."
)
def report_command(file: Path, output: Path | None) -> None:
    """Turn a report (run.ndjson) into one HTML file."""
    output = output or file.with_suffix(".html")
    found = report_file.read(file)
    with output.open("w", encoding="utf-8", errors="backslashreplace") as page:
        page.writelines(html.render(found))
    if found.aborted is not None:
        click.echo(f"{file}: {found.aborted}. It is drawn, with a banner, but it is no evidence.", err=True)
    click.echo(str(output))


@cli.command("lint")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--profile", default=None, help="Only this profile; of FILES: read them as cases of it.")
@click.option("--card", type=click.Path(path_type=Path), help="Card that declares the variants of FILES.")
@click.option("--list", "listing", is_flag=True, help="List every case.")
def lint_command(files: tuple[Path, ...], profile: str | None, card: Path | None, listing: bool) -> None:
    """Check cases, phrases, catalogues and words without a target; or the cases in FILES and folders alone."""
    named = profile_of(profile) if profile is not None else None
    if files:
        checked = lint.of_files(files, named, card)
        problems, cases = checked.problems, checked.cases
    else:
        chosen = [named] if named is not None else list(PROFILES.values())
        problems = [*lint.words(), *(line for one in chosen for line in lint.problems(one))]
        cases = {} if problems else {one.name: case_catalog.every(one.name) for one in chosen}
    for line in problems:
        click.echo(line)
    for name, some in cases.items() if not problems else ():
        for case in some if listing else []:
            click.echo(f"{case.at}  {case.name}[{case.dialect}]  {' '.join(case.requirements)}")
        click.echo(f"{name}: {len(some)} cases, nothing wrong")
    sys.exit(FINDINGS if problems else OK)


@cli.command()
@click.argument("requirement")
def explain(requirement: str) -> None:
    """Say what a requirement demands, where it comes from and which cases judge it."""
    for profile in PROFILES.values():
        found = profile.catalogue.get(requirement.upper())
        if found is not None:
            click.echo(lint.explanation(found, case_catalog.every(profile.name)))
            return
    raise SuiteError(
        f"explain {requirement}: no such requirement. Ids look like {next(iter(PROFILES['rollout'].catalogue))}."
    )


@cli.command()
@click.option("--only", multiple=True, help="Only these mutants.")
@click.option(
    "--by",
    "methods",
    multiple=True,
    type=click.Choice(["cases", "fuzzing", "exploration"]),
    help="MutantRun by this method; may be repeated. Default: each mutant by the one that it names.",
)
@click.option("-j", "--jobs", type=click.IntRange(1), default=2, show_default=True, help="Mutants at once.")
@click.option("--profile", default="rollout", show_default=True, help="Which reference is broken.")
def mutants(only: tuple[str, ...], methods: tuple[str, ...], jobs: int, profile: str) -> None:
    """Run the suite against deliberately broken servers and print which case kills which."""
    from rollout_conformance.steps import mutation_testing

    sys.exit(early_end.run(mutation_testing.matrix(only, methods, jobs, click.echo, profile)))


@cli.group()
def serve() -> None:
    """Run a reference implementation."""


@serve.command("rollout")
@click.option("--host", envvar="ROLLOUT_SERVER_HOST", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="ROLLOUT_SERVER_PORT", type=click.IntRange(0, 65535), default=9000, show_default=True)
@click.option(
    "--demo", is_flag=True, help="Use the shipped tokenizer whatever name is asked, and say so in the answer."
)
def serve_rollout(host: str, port: int, demo: bool) -> None:
    """The reference rollout server (sync and callback dialects)."""
    servers.rollout(host, port, demo)


@serve.command("trainer")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="MOCK_TRAINER_PORT", type=click.IntRange(0, 65535), default=9001, show_default=True)
@click.option("--tokenizer", type=click.Path(path_type=Path), default=None, help="Local tokenizer directory.")
@click.option(
    "--backend-url", envvar="TRAINER_BACKEND_URL", default=None, help="An engine: serve a real trainer in front of it."
)
@click.option("--model", default=None, help="The model of that engine; default: the first that it lists.")
def serve_trainer(host: str, port: int, tokenizer: Path | None, backend_url: str | None, model: str | None) -> None:
    """A mock trainer that answers any rollout server; with --backend-url a real one in front of any vLLM."""
    if backend_url is None:
        servers.trainer(host, port, tokenizer)
    else:
        servers.live_trainer(host, port, tokenizer, backend_url, model)


@serve.command("chat")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="ROUTER_PORT", type=click.IntRange(0, 65535), default=9002, show_default=True)
def serve_chat(host: str, port: int) -> None:
    """The reference router in front of engines; ROUTER_BACKENDS and ROUTER_KEYS say which, and who may ask."""
    servers.router(host, port)


@serve.command("engine")
def serve_engine() -> None:
    """vLLM with the tiny model, on this machine's CPU."""
    early_end.run(servers.engine())


def main() -> None:
    """Entry point: every error becomes one message and exit code 2, and a signal an orderly end with the code that belongs to it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a target may send half a character, which no encoding can write
            stream.reconfigure(errors="backslashreplace")
    ENDING.listen()
    suite_faults.quiet()
    code = _exit_code()
    ENDING.done()
    if ENDING.reason is not None:
        early_end.leave(code if ENDING.reason.code is None else ENDING.reason.code)
    sys.exit(code)


def _exit_code() -> int:
    try:
        return int(cli(standalone_mode=False) or OK)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except SystemExit as leaving:
        if "PacifyFlushWrapper" in type(sys.stdout).__name__:  # click's 1 for a reader that has gone is no finding
            return NO_JUDGEMENT
        return leaving.code if isinstance(leaving.code, int) else OK
    except (click.Abort, KeyboardInterrupt, asyncio.CancelledError) as error:
        if ENDING.reason is None and isinstance(error, asyncio.CancelledError):
            return _refused(suite_faults.line(error))
        return _interrupted()
    except click.ClickException as error:
        return _refused(error.format_message(), error.show)
    except SuiteError as error:
        return _refused(str(error))
    except OSError as error:
        return _refused(f"{error.filename or ''}: {error.strerror or error}")
    except Exception as error:
        return _refused(suite_faults.line(error))


def _refused(text: str, show: Callable[[], None] | None = None) -> int:
    with contextlib.suppress(OSError):  # nobody may be there any more to read it
        show() if show is not None else click.echo(f"rollout-conformance: {text}", err=True)
    return NO_JUDGEMENT


def _interrupted() -> int:
    """The end of a command that a signal ended before it had anything to show."""
    if (spoken := ENDING.speak()) is not None:
        return spoken
    reason = ENDING.reason or Reason("SIGINT", INTERRUPTED)
    with contextlib.suppress(OSError):
        click.echo(f"Ended early by {reason.text}.", err=True)
    return NO_JUDGEMENT if reason.code is None else reason.code


if __name__ == "__main__":
    main()
