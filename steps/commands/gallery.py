"""`rollout-conformance gallery`."""

import sys
from pathlib import Path

import click

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.gallery import entry as entries
from rollout_conformance.steps.gallery import summary
from rollout_conformance.steps.gallery.install import install
from rollout_conformance.steps.gallery.judging import Judged, judge

HOME = Path(".gallery")


@click.command("gallery")
@click.argument("names", nargs=-1)
@click.option("--list", "only_list", is_flag=True, help="Only list the targets.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=HOME,
    show_default=True,
    help="Where they are installed.",
)
@click.option(
    "--table",
    "table_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results to this file as a Markdown table.",
)
def command(names: tuple[str, ...], only_list: bool, into: Path, table_file: Path | None) -> None:
    """Judge real servers that others wrote, and compare the findings with those that are known.

    Each is installed from PyPI or npm into an environment of its own. NAMES: default all. Exit codes: 0 all as expected, 1 one differs,
    2 one could not be installed or judged.
    """
    chosen = entries.chosen(names)
    if only_list:
        click.echo("\n".join(summary.listing(chosen)))
        return
    done, failed = [], False
    for entry in chosen:
        try:
            judged = judge(entry, install(entry, into))
        except SuiteError as error:
            failed = True
            click.echo(f"{entry.name}: {error}", err=True)
            continue
        done.append(judged)
        click.echo("\n".join(summary.lines(judged)))
    if table_file is not None:
        table_file.write_text("\n".join(summary.table(done)) + "\n")
    sys.exit(_exit_code(done, failed))


def _exit_code(done: list[Judged], failed: bool) -> int:
    if failed:
        return 2
    return 0 if all(judged.as_expected for judged in done) else 1
