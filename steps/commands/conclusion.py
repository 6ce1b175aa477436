"""What is printed at the end of a run: the findings, the summary and what was not judged; and the exit code."""

import contextlib
from collections.abc import Sequence

import click

from rollout_conformance.steps import baseline_check, baseline_file
from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.baseline_check import Scope
from rollout_conformance.steps.commands.exit_code import FINDINGS, INTERRUPTED, NO_JUDGEMENT, OK
from rollout_conformance.steps.commands.play_options import PLAIN, PlayOptions
from rollout_conformance.steps.engine import shared_causes
from rollout_conformance.steps.engine.early_end import ENDING, Reason
from rollout_conformance.steps.engine.failure_report import collapse, finding_block
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.run_summary import slowest, summary
from rollout_conformance.steps.profiles import profile_of
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
) -> int:
    """Print what a run found; gives the exit code. `ended` is why the run ended before all planned cases were played, `scope` what it could
    have judged; without it, the cases of the outcomes. What fails is written as known where `how` has a file for it, and then fails no more."""
    profile = profile_of(run_options.profile)
    outcomes = shared_causes.joined(outcomes, profile.ends_by_itself)
    outcomes = [known.marked(outcome) for outcome in outcomes]
    for group in collapse(outcomes, profile.catalogue):
        click.echo(finding_block(group) + "\n")
    for line in slowest(outcomes, how.slowest):
        click.echo(line)
    click.echo(summary(outcomes, profile.catalogue, run_options.level, ended is None, profile.closing))
    failed = any(outcome.judgement.failed for outcome in outcomes)
    if ended is not None:
        click.echo(f"Ended early by {ended.text}: {len(outcomes)} of {planned or '?'} cases had been played.")
        return FINDINGS if failed else NO_JUDGEMENT
    stale = dict(baseline_check.stale(known, outcomes, scope or _of_played(outcomes)))
    for line in baseline_check.lines(stale.items()):
        click.echo(f"BASELINE  {line}")
    if not _judged(outcomes, planned):
        return NO_JUDGEMENT
    if how.written_file is not None:
        count = baseline_file.write(
            how.written_file, known, outcomes, stale, run_options.target or profile.reference.app
        )
        click.echo(
            f"Wrote {how.written_file}: failures of {count} requirement(s) are known from now on. Write the reason of each."
        )
    elif failed or stale:
        return FINDINGS
    return NO_JUDGEMENT if any(outcome.judgement.verdict is Verdict.ERROR for outcome in outcomes) else OK


def _of_played(outcomes: Sequence[Outcome]) -> Scope:
    return Scope(lambda: (outcome.case for outcome in outcomes))


def _judged(outcomes: list[Outcome], planned: int) -> bool:
    """Whether every planned case was played and at least one gave evidence; prints what is missing."""
    executed = sum(outcome.judgement.verdict not in (Verdict.SKIP, Verdict.ERROR) for outcome in outcomes)
    if executed == 0 or len(outcomes) != planned:
        click.echo(f"Nothing was judged: {executed} of {planned} planned cases were executed.", err=True)
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
            reason, lambda outcomes, planned: conclude(found.options, outcomes, found.known, planned, reason, how=how)
        )
    return NO_JUDGEMENT if reason.code is None else reason.code
