"""`rollout-conformance vocabulary`."""

import click

from rollout_conformance.steps.profiles import PROFILES, profile_of
from rollout_conformance.steps.scenario import vocabulary_page


@click.command("vocabulary")
@click.argument("word", default="")
@click.option("--profile", default=None, help="Only this profile.")
def command(word: str, profile: str | None) -> None:
    """Print the verbs and sentences that cases are written with.

    With WORD, only those that have it in their name, members or sentences.
    """
    chosen = [profile_of(profile)] if profile is not None else list(PROFILES.working())
    click.echo(vocabulary_page.entries(chosen, word) if word else "\n".join(map(vocabulary_page.page, chosen)))
