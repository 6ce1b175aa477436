"""`rollout-conformance new`."""

from pathlib import Path

import click

from rollout_conformance.steps.authoring import templates
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import DEFAULT, profile_of


@click.command("new")
@click.argument("kind", type=click.Choice(list(templates.SUFFIXES)))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--profile", default=DEFAULT, show_default=True, help="The kind of system that is judged.")
@click.option("--about", default=None, metavar="ID", help="The requirement that the case is about.")
@click.option("--title", default="what a server has to do", show_default=True, help="The title of the case.")
def command(kind: str, file: Path, profile: str, about: str | None, title: str) -> None:
    """Write the beginning of a case in YAML, of a feature or of a target card to FILE.

    What is written is valid, and can be run as it is. A file that exists is not overwritten.
    """
    of = profile_of(profile)
    if file.suffix != templates.SUFFIXES[kind]:
        raise SuiteError(f"new {kind} {file}: the name of this file has to end in {templates.SUFFIXES[kind]}")
    text = templates.card(of) if kind == "card" else templates.case(kind, of, about, title)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise SuiteError(f"{file} exists, and is not overwritten.") from None
    except OSError as error:
        raise SuiteError(f"{file}: cannot be written: {error.strerror}") from error
    click.echo(f"Wrote {file}. {_next(kind, file, profile)}")


def _next(kind: str, file: Path, profile: str) -> str:
    if kind == "card":
        return f"Use it: rollout-conformance run --profile {profile} --target TARGET --card {file}"
    return f"Check it: rollout-conformance lint {file}. Run it: rollout-conformance run {file} --target TARGET"
