"""Says which features of the given folders are no cases of the suite."""

from collections.abc import Iterable
from pathlib import Path

import click

from rollout_conformance.steps import case_catalog


def note_left_out(paths: Iterable[Path]) -> None:
    for file in case_catalog.left_out(paths):
        click.echo(f"NOTE  {file}: no tag names a requirement, so it is left to other tools.", err=True)
