"""`rollout-conformance report`."""

from collections.abc import Callable
from pathlib import Path

import click

from rollout_conformance.steps.engine import report_file
from rollout_conformance.steps.engine.report_file import Header
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.report_page.beside import beside
from rollout_conformance.steps.report_page.overview import CLOSING
from rollout_conformance.steps.report_page.page import Sources, render


@click.command("report")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Default: FILE with .html."
)
@click.option(
    "--beside",
    "other",
    type=click.Path(path_type=Path),
    default=None,
    help="The report of another run of the same cases, shown side by side: with a live model, say.",
)
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path, file_okay=False),
    default=TOKENIZER,
    show_default="that of the suite",
    help="The folder of the tokenizer of the run, for the texts of token ids.",
)
def command(file: Path, output: Path | None, other: Path | None, tokenizer: Path) -> None:
    """Convert a report (run.ndjson) to one HTML file."""
    output = output or file.with_suffix(".html")
    found = report_file.read(file)
    profile = PROFILES.get_working(found.header.profile)
    sources = Sources(
        profile.catalogue if profile else {},
        profile.closing if profile else CLOSING,
        _decoder(found.header, tokenizer),
        beside(found, report_file.read(other)) if other else None,
    )
    with output.open("w", encoding="utf-8", errors="backslashreplace") as page:
        page.writelines(render(found, sources))
    if found.aborted is not None:
        click.echo(f"{file}: {found.aborted}. It is drawn, with a banner, but it is no evidence.", err=True)
    click.echo(str(output))


def _decoder(header: Header, tokenizer: Path) -> Callable[[int], str] | None:
    """The text of a token id; None where the tokenizer is not that of the run."""
    from rollout_conformance.steps.peers import tokens  # a large library, and not for --help

    known = tokens.load(tokenizer)
    if known.hash != header.tokenizer:
        return None
    return lambda one: known.decode([one])
