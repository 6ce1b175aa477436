"""Says which features of the given folders are no cases of the suite."""

from collections.abc import Iterable
from pathlib import Path

import click

from rollout_conformance.steps import case_catalog, case_files


def note_left_out(paths: Iterable[Path]) -> bool:
    """Whether one of them has a tag that looks like a misspelled requirement."""
    told = False
    for file in case_catalog.left_out(paths):
        near = list(case_files.misspelled(file))
        for line in near or [f"{file}: no tag names a requirement, so it is left to other tools."]:
            click.echo(f"NOTE  {line}", err=True)
        told = told or bool(near)
    return told
