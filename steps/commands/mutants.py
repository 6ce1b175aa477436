"""`rollout-conformance mutants`."""

import sys
from pathlib import Path

import click

from rollout_conformance.steps import mutant_list, mutation_testing, report_register
from rollout_conformance.steps.commands.numbers import WholeNumber
from rollout_conformance.steps.engine import early_end
from rollout_conformance.steps.profiles import DEFAULT, PROFILES


@click.command("mutants")
@click.option("--only", multiple=True, help="Only these mutants.")
@click.option(
    "--by",
    "methods",
    multiple=True,
    type=click.Choice(["cases", "fuzzing", "exploration"]),
    help="Judge by this method; may be repeated. Default: each mutant by the method that it names.",
)
@click.option("--list", "names_only", is_flag=True, help="Only list the mutants, with what is wrong with each.")
@click.option("-j", "--jobs", type=WholeNumber(1), default=2, show_default=True, help="Mutants at once.")
@click.option(
    "--reports",
    is_flag=True,
    help="Only the mutants that the registers of public bug reports name: each is killed by the requirement of its entry, in every dialect.",
)
@click.option(
    "--profile",
    default=None,
    help=f"The profile whose mutants are judged. Default: {DEFAULT}; with --reports all.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Only whether each is found: plays the cases about its requirement, and the others where those do not find it.",
)
@click.option("--card", type=click.Path(path_type=Path, exists=True), help="Another configuration of the reference.")
def command(
    only: tuple[str, ...],
    methods: tuple[str, ...],
    names_only: bool,
    jobs: int,
    reports: bool,
    profile: str | None,
    quick: bool,
    card: Path | None,
) -> None:
    """Run the suite against servers with one known defect each.

    Prints which cases find which defect.
    """
    if reports and methods:
        raise click.UsageError("--reports judges each mutant by the method that it names; leave out --by.")
    if reports and quick:
        raise click.UsageError("--reports plays no more cases than it takes; leave out --quick.")
    if names_only:
        click.echo("\n".join(early_end.run(mutant_list.described(only, profile or DEFAULT))))
        return
    if reports:
        work = report_register.prove([profile] if profile else [*PROFILES], only, jobs, click.echo)
    else:
        work = mutation_testing.matrix(only, methods, jobs, click.echo, profile or DEFAULT, card, quick)
    sys.exit(early_end.run(work))
