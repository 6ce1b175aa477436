"""What is printed at the end of a run: the findings, the summary and what was not judged; and the exit code."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from rollout_conformance.steps import baseline_check, baseline_file, baseline_silence
from rollout_conformance.steps.baseline import Baseline, Known
from rollout_conformance.steps.baseline_check import Scope
from rollout_conformance.steps.commands import terminal
from rollout_conformance.steps.commands.exit_code import FINDINGS, INTERRUPTED, NO_JUDGEMENT, OK
from rollout_conformance.steps.commands.play_options import PLAIN, PlayOptions
from rollout_conformance.steps.engine import shared_causes
from rollout_conformance.steps.engine.early_end import ENDING, Reason
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.engine.run_summary import sentence
from rollout_conformance.steps.outputs.facts import RunFacts
from rollout_conformance.steps.outputs.files import GitHub
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.profiles.parts import REQUIRES
from rollout_conformance.steps.run_results import RunResults
from rollout_conformance.steps.run_setup import RunOptions


def conclude(
    run_options: RunOptions,
    outcomes: list[Outcome],
    known: Baseline,
    planned: int,
    ended: Reason | None = None,
    scope: Scope | None = None,
    how: PlayOptions = PLAIN,
    not_played: Sequence[str] = (),
    seconds: float | None = None,
) -> int:
    """Print what a run found; gives the exit code.

    `ended` is why the run ended before all planned cases were played, `scope` what it could have judged; without it, the cases of the
    outcomes. `not_played` are lines about cases that were named and are for other targets, `seconds` is how long the run took. What fails is
    written as known where `how` has a file for it, and then fails no more.
    """
    profile = profile_of(run_options.profile)
    marked = [known.marked(outcome) for outcome in shared_causes.joined(outcomes, profile.ends_by_itself)]
    target = run_options.target or profile.reference.app
    stale = dict(baseline_check.stale(known, marked, scope or _of_played(marked))) if ended is None else {}
    told = sentence(marked, profile.catalogue, run_options.level, ended is None, profile.closing)
    if stale and not how.written_file and not any(outcome.judgement.failed for outcome in marked):
        entries = "1 entry" if len(stale) == 1 else f"{len(stale)} entries"
        told = f"The baseline is outdated in {entries}, see BASELINE above. {told}"
    shown_stale = () if how.written_file else baseline_check.outdated(stale.items())
    facts = RunFacts(
        profile=profile.name,
        target=target,
        level=run_options.level,
        catalogue=profile.catalogue,
        outcomes=marked,
        sentence=told,
        ended=ended.text if ended else None,
        stale=shown_stale,
        not_judged=baseline_silence.not_judged(known, marked, stale) if ended is None else (),
        not_played=not_played,
        seconds=seconds,
    )
    github = GitHub.of()
    with github.without_commands(click.echo):
        terminal.show(facts, how.slowest, terminal.screen())
        if ended is not None:
            click.echo(f"Ended early by {ended.text}: {len(marked)} of {planned or '?'} cases had been played.")
        judged = ended is None and _judged(marked, planned)
        if judged and how.written_file is not None:
            _write(how.written_file, known, facts, stale)
    github.write(facts, click.echo)
    how.outputs.write(facts)
    failed = any(outcome.judgement.failed for outcome in marked) and (how.written_file is None or ended is not None)
    return _code(facts, failed, judged, ended)


def _write(file: Path, known: Baseline, facts: RunFacts, stale: Mapping[Known, str]) -> None:
    count = baseline_file.write(file, known, facts.outcomes, stale, facts.target)
    click.echo(f"Wrote {file}: failures of {count} requirement(s) are known from now on. Write the reason of each.")
    for one in baseline_check.outdated(stale.items()):
        click.echo(f"  dropped  {printable(one.what)}, which {printable(one.told.partition(';')[0].rstrip('.'))}.")


def _code(facts: RunFacts, failed: bool, judged: bool, ended: Reason | None) -> int:
    if ended is not None:
        return FINDINGS if failed else NO_JUDGEMENT
    if not judged:
        return NO_JUDGEMENT
    if failed or facts.stale:
        return FINDINGS
    errors = any(outcome.judgement.verdict is Verdict.ERROR for outcome in facts.outcomes)
    return NO_JUDGEMENT if errors else OK


DECLARE = (
    "What the target has of this, and does not show, is declared on its card under `capabilities`: --card FILE. "
    "`rollout-conformance card` writes one."
)


def _of_played(outcomes: Sequence[Outcome]) -> Scope:
    return Scope(lambda: (outcome.case for outcome in outcomes))


def _judged(outcomes: list[Outcome], planned: int) -> bool:
    """Whether every planned case was played and at least one gave evidence; prints what is missing."""
    executed = sum(outcome.judgement.verdict not in (Verdict.SKIP, Verdict.ERROR) for outcome in outcomes)
    if planned == 0:
        click.echo("Nothing was judged: none of the cases is for this target, for the reasons above.", err=True)
        return False
    if executed == 0 or len(outcomes) != planned:
        click.echo(f"Nothing was judged: {executed} of {planned} planned cases were executed.", err=True)
        if outcomes and all(outcome.judgement.reason.startswith(REQUIRES) for outcome in outcomes):
            click.echo(DECLARE, err=True)
        return False
    if not any(outcome.judgement.requirements for outcome in outcomes):
        click.echo("Nothing was judged: no case gave evidence for a requirement, for the reasons above.", err=True)
        return False
    return True


def ended_early(found: RunResults, how: PlayOptions = PLAIN, reason: Reason | None = None) -> int:
    """Close the report and print what had been found when the run was ended, by `reason` or a signal; gives the exit code."""
    reason = ENDING.reason or reason or Reason("an interruption", INTERRUPTED)
    with contextlib.suppress(OSError):  # the terminal may be closed
        return found.end_early(
            reason,
            lambda outcomes, planned: conclude(
                found.options,
                outcomes,
                found.known,
                planned,
                reason,
                how=how,
                not_played=found.not_played,
                seconds=found.seconds,
            ),
        )
    return NO_JUDGEMENT if reason.code is None else reason.code
