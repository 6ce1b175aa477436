"""`rollout-conformance history`."""

from pathlib import Path

import click

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.outputs import history
from rollout_conformance.steps.outputs.runs import PastRun, load


@click.command("history")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Show how the cases of each target ended in the reports (.ndjson) of a folder: which are flaky, which broken, and since when.

    A file that is no report is left out, with the reason.
    """
    runs: list[PastRun] = []
    for file in sorted(folder.rglob("*.ndjson")):
        try:
            runs.append(load(file))
        except SuiteError as wrong:
            click.echo(printable(f"left out: {wrong}"), err=True)
    if not runs:
        raise SuiteError(f"history {folder}: there is no report. Write one by `run --report {folder}/NAME.ndjson`.")
    for line in history.lines(runs):
        click.echo(printable(line))
