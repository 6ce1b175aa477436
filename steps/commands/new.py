"""`rollout-conformance new`."""

import shlex
from pathlib import Path

import click
from click.core import ParameterSource

from rollout_conformance.steps import catalogues
from rollout_conformance.steps.authoring import profile_package, templates
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import DEFAULT, PROFILES, profile_of

PROFILE = "profile"


@click.command("new")
@click.argument("kind", type=click.Choice([*templates.SUFFIXES, PROFILE]))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--profile", default=DEFAULT, show_default=True, help=f"The kind of system that is judged: {', '.join(PROFILES)}."
)
@click.option("--about", default=None, metavar="ID", help="The requirement that the case is about.")
@click.option("--title", default="what a server has to do", show_default=True, help="The title of the case.")
@click.option("--name", default=None, help="The name of the new profile; default: that of its folder.")
@click.pass_context
def command(
    ctx: click.Context, kind: str, file: Path, profile: str, about: str | None, title: str, name: str | None
) -> None:
    """Write the beginning of a case in YAML, of a feature or of a target card to FILE, or of a profile of your own to the folder FILE.

    What is written is valid, and can be run as it is. A file that exists is not overwritten. Without --profile a case is of the profile
    of the requirement that it is --about.
    """
    if about is not None and ctx.get_parameter_source("profile") == ParameterSource.DEFAULT:
        profile = catalogues.profile_with(about) or profile
    if kind == PROFILE:
        _profile(file, name or file.resolve().name)
        return
    if file.is_dir():
        raise SuiteError(f"new {kind} {file}: this is a folder; name a file in it, such as {file / _example(kind)}")
    of = profile_of(profile)
    if file.suffix != templates.SUFFIXES[kind]:
        raise SuiteError(f"new {kind} {file}: the name of this file has to end in {templates.SUFFIXES[kind]}")
    text = templates.card(of) if kind == "card" else templates.case(kind, of, about, title)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise SuiteError(f"{file} exists, and is not overwritten.") from None
    except OSError as error:
        raise SuiteError(f"{file}: cannot be written: {error.strerror}") from error
    click.echo(f"Wrote {file}. {_next(kind, file, profile)}")


def _profile(folder: Path, name: str) -> None:
    profile_package.write(folder, name)
    click.echo(
        f"Wrote {folder}. Install it: pip install -e {_as_word(folder)}. Then: rollout-conformance lint --profile {name}, and "
        f"rollout-conformance run --profile {name}. Its files are explained in docs/add_a_profile.md."
    )


def _example(kind: str) -> str:
    return f"first{templates.SUFFIXES[kind]}"


def _next(kind: str, file: Path, profile: str) -> str:
    word = _as_word(file)
    if kind == "card":
        return f"Use it: rollout-conformance run --profile {profile} --target TARGET --card {word}"
    return f"Check it: rollout-conformance lint {word}. Run it: rollout-conformance run {word} --target TARGET"


def _as_word(file: Path) -> str:
    """A file as a word of a command line, which a shell reads as this name and a command as no option."""
    return shlex.quote(f"./{file}" if str(file).startswith("-") else str(file))
