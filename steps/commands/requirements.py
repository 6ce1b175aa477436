"""`rollout-conformance requirements`. It imports no profile: catalogues are read directly."""

import shutil
import sys

import click

from rollout_conformance.steps import requirement_search
from rollout_conformance.steps.engine.findings import LEVELS, SuiteError
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.profiles import PROFILES


@click.command("requirements")
@click.argument("word", nargs=-1)
@click.option("--profile", default=None, help="Only those of this profile.")
@click.option("--level", type=click.Choice(LEVELS), default=None, help="Only those of this level.")
def command(word: tuple[str, ...], profile: str | None, level: str | None) -> None:
    """List the requirements with their level and profile.

    With WORD, only those that have it in their id, sentence, reason or topic; of several words, all. `explain ID` prints one in full.
    """
    if profile is not None and profile not in PROFILES:
        raise SuiteError(f"--profile: {unknown_name('profile', profile, PROFILES)}")
    every = [one for one in requirement_search.every(profile) if level in (None, one.level)]
    text = " ".join(word)
    found = requirement_search.meant(text, every) if text else every
    if not found:
        raise SuiteError(f"requirements {text}: nothing has this in it. {requirement_search.near(text, every)}")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in requirement_search.lines(found, width):
        click.echo(line)
