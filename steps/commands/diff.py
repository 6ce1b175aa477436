"""`rollout-conformance diff`."""

import sys
from pathlib import Path

import click

from rollout_conformance.steps.commands.exit_code import FINDINGS, NO_JUDGEMENT, OK
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.outputs import diff
from rollout_conformance.steps.outputs.runs import load, of_one_profile


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
def command(old: Path, new: Path) -> None:
    """Compare the reports of two runs: what is broken, fixed, newly judged, no longer judged, slower.

    Exit code 1 when a case fails that did not, 2 when a report is no evidence.
    """
    before, after = load(old), load(new)
    of_one_profile([before, after])
    change = diff.changes(before, after)
    for line in diff.lines(before, after, change):
        click.echo(printable(line))
    if change.broken:
        sys.exit(FINDINGS)
    sys.exit(NO_JUDGEMENT if before.aborted or after.aborted else OK)
