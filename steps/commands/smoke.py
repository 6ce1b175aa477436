"""`rollout-conformance smoke`."""

import sys
from typing import Any

import click

from rollout_conformance.steps import smoke_check
from rollout_conformance.steps.commands.target_options import target_options
from rollout_conformance.steps.engine import early_end
from rollout_conformance.steps.run_setup import RunOptions


@click.command("smoke")
@target_options
def command(**options: Any) -> None:
    """Check that the target is reachable and completes the simplest case."""
    sys.exit(early_end.run(smoke_check.smoke(RunOptions(**options), click.echo)))
