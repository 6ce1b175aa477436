"""`rollout-conformance statement`."""

import json
import sys
from pathlib import Path

import click

from rollout_conformance.steps.commands.exit_code import FINDINGS
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.json_text import NotJson, parse
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.outputs import comparison_page, statement
from rollout_conformance.steps.outputs.runs import load, of_one_profile


@click.command("statement")
@click.argument("reports", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the statement (JSON) here."
)
@click.option(
    "--table", type=click.Path(path_type=Path, dir_okay=False), help="Write the targets side by side (Markdown)."
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page that compares the targets; then REPORTS may be statements (.json) too.",
)
@click.option("--check", type=click.Path(path_type=Path), help="Compare this statement with the reports.")
def command(
    reports: tuple[Path, ...], output: Path | None, table: Path | None, page: Path | None, check: Path | None
) -> None:
    """State what each target keeps and breaks, by requirement and dialect, bound to the REPORTS by their SHA-256.

    With --check, exit code 1 when the statement is not that of the reports.
    """
    if page is not None:
        _write(page, "".join(comparison_page.page(reports)))
    statements = [file for file in reports if comparison_page.is_statement(file)]
    if statements and (page is None or output or table or check):
        raise SuiteError(f"{statements[0]}: a statement is shown by --html; -o, --table and --check need the reports.")
    if statements:
        click.echo(str(page))
        return
    runs = [load(file) for file in reports]
    of_one_profile(runs)
    if check is not None:
        _checked(check, statement.differences(_read(check), runs))
    if output is not None:
        _write(output, json.dumps(statement.made(runs), indent=1, ensure_ascii=False) + "\n")
    if table is not None:
        _write(table, "\n".join(statement.table(runs)) + "\n")
    for line in statement.sentences(runs):
        click.echo(printable(line))


def _checked(file: Path, differences: list[str]) -> None:
    for line in differences:
        click.echo(printable(f"{file}: {line}"))
    if differences:
        sys.exit(FINDINGS)


def _read(file: Path) -> object:
    try:
        value = parse(file.read_bytes())
    except OSError as error:
        raise SuiteError(f"{file}: cannot be read: {error.strerror}") from error
    if isinstance(value, NotJson):
        raise SuiteError(f"{file}: is not JSON: {value.why}")
    return value


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise SuiteError(f"{file}: cannot be written: {error.strerror}") from error
