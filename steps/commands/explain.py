"""`rollout-conformance explain`. It imports no profile: catalogues and the index of cases are read directly."""

import click

from rollout_conformance.steps import case_index, catalogues
from rollout_conformance.steps.engine import bug_reports
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import DEFAULT
from rollout_conformance.steps.requirement_text import requirement_text


@click.command("explain")
@click.argument("requirement")
def command(requirement: str) -> None:
    """Print what a requirement demands, its source, where it was seen broken and the cases that judge it."""
    name = requirement.upper()
    profile = catalogues.profile_with(name)
    if profile is None:
        example = next(iter(catalogues.of(DEFAULT)))
        raise SuiteError(f"explain {requirement}: no such requirement. Ids look like {example}.")
    catalogue = catalogues.of(profile)
    cases = case_index.about(name, profile, catalogue)
    click.echo(requirement_text(catalogue[name], cases, bug_reports.about(name)))
