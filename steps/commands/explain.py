"""`rollout-conformance explain`. It imports no profile: catalogues and the index of cases are read directly."""

import re
import shutil
import sys

import click

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps import case_index, catalogues, requirement_search
from rollout_conformance.steps.engine import bug_reports
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.requirement_text import requirement_text

ID = re.compile(r"(?<![A-Za-z])[A-Za-z]+-\d+")


@click.command("explain")
@click.argument("requirement", nargs=-1, required=True)
def command(requirement: tuple[str, ...]) -> None:
    """Print what a requirement demands, its source, where it was seen broken and the cases that judge it.

    REQUIREMENT is an id, its number, or words of its text. Where it fits several, they are listed. Several ids are explained one after the
    other.
    """
    every = requirement_search.every()
    if all(ID.fullmatch(word) for word in requirement):
        for n, word in enumerate(requirement):
            if n:
                click.echo()
            _explain(word, every)
    else:
        _explain(" ".join(requirement), every)


def _explain(text: str, every: list[Requirement]) -> None:
    """Print the one requirement that is meant, or those that may be. Raises `SuiteError` where there is none."""
    found = requirement_search.meant(text, every)
    if not found:
        raise SuiteError(f"explain {text}: no such requirement. {requirement_search.near(text, every)}")
    if len(found) > 1:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo(
            "\n".join([*requirement_search.lines(found, width), f"{len(found)} requirements: name one by its id."])
        )
        return
    name = found[0].id
    profile = catalogues.profile_with(name) or ""
    catalogue = catalogues.of(profile)
    cases = case_index.about(name, profile, catalogue)
    click.echo(requirement_text(catalogue[name], cases, bug_reports.about(name), _meanings(profile)))


def _meanings(profile: str) -> dict[str, str]:
    """What each capability means, and how a case is played on one that is a variant."""
    return {
        name: f"{text}; `variant: {name}` in a case plays it there" if catalogues.is_variant(profile, name) else text
        for name, text in catalogues.capabilities(profile).items()
    }
