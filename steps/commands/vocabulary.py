"""`rollout-conformance vocabulary`."""

import click

from rollout_conformance.steps import requirement_search
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES, profile_of
from rollout_conformance.steps.scenario import vocabulary_page

SHOWN = 5


@click.command("vocabulary")
@click.argument("word", default="")
@click.option("--profile", default=None, help="Only this profile.")
def command(word: str, profile: str | None) -> None:
    """Print the verbs and sentences that cases are written with.

    With WORD, only those that have it in their name, members or sentences.
    """
    chosen = [profile_of(profile)] if profile is not None else list(PROFILES.working())
    try:
        click.echo(vocabulary_page.entries(chosen, word) if word else "\n".join(map(vocabulary_page.page, chosen)))
    except SuiteError as error:
        raise SuiteError(f"{error}{_requirements_about(word, [one.name for one in chosen])}") from None


def _requirements_about(word: str, profiles: list[str]) -> str:
    """Where to read on: much is judged in every case, without a sentence."""
    found = [one for name in profiles for one in requirement_search.meant(word, requirement_search.every(name))]
    if not found:
        return ""
    ids = ", ".join(one.id for one in found[:SHOWN]) + (", ..." if len(found) > SHOWN else "")
    return f" Requirements about it, of which many are judged in every case without a sentence (`requirements {word}`): {ids}"
