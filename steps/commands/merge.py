"""`rollout-conformance merge`."""

from pathlib import Path

import click

from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.engine.report_merge import merge


@click.command("merge")
@click.argument("reports", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report of all parts here.",
)
def command(reports: tuple[Path, ...], output: Path) -> None:
    """Join the REPORTS of parts of a run, such as those of --shard, to one.

    They are of one profile and share no case. The result is aborted where one of them is.
    """
    footer = merge(reports, output)
    click.echo(
        printable(f"{output}: {footer['executed']} of {footer['planned']} cases executed, of {len(reports)} reports")
    )
