"""`rollout-conformance report`."""

from pathlib import Path

import click

from rollout_conformance.steps.engine import html, report_file


@click.command("report")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default=None, help="Default: FILE with .html."
)
def command(file: Path, output: Path | None) -> None:
    """Convert a report (run.ndjson) to one HTML file."""
    output = output or file.with_suffix(".html")
    found = report_file.read(file)
    with output.open("w", encoding="utf-8", errors="backslashreplace") as page:
        page.writelines(html.render(found))
    if found.aborted is not None:
        click.echo(f"{file}: {found.aborted}. It is drawn, with a banner, but it is no evidence.", err=True)
    click.echo(str(output))
