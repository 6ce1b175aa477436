"""`rollout-conformance mutants`."""

import sys
from pathlib import Path

import click

from rollout_conformance.steps import mutation_testing
from rollout_conformance.steps.engine import early_end
from rollout_conformance.steps.profiles import DEFAULT


@click.command("mutants")
@click.option("--only", multiple=True, help="Only these mutants.")
@click.option(
    "--by",
    "methods",
    multiple=True,
    type=click.Choice(["cases", "fuzzing", "exploration"]),
    help="Judge by this method; may be repeated. Default: each mutant by the method that it names.",
)
@click.option("-j", "--jobs", type=click.IntRange(1), default=2, show_default=True, help="Mutants at once.")
@click.option("--profile", default=DEFAULT, show_default=True, help="The profile whose mutants are judged.")
@click.option("--card", type=click.Path(path_type=Path, exists=True), help="Another configuration of the reference.")
def command(only: tuple[str, ...], methods: tuple[str, ...], jobs: int, profile: str, card: Path | None) -> None:
    """Run the suite against servers with one known defect each.

    Prints which cases find which defect.
    """
    sys.exit(early_end.run(mutation_testing.matrix(only, methods, jobs, click.echo, profile, card)))
