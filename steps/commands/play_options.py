"""How the cases of a run are played and what is shown of them, besides the judgement itself."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from rollout_conformance.steps.commands.numbers import WholeNumber
from rollout_conformance.steps.outputs.files import NO_FILES, Outputs

F = TypeVar("F", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """`repeat` is how often each case is played, `slowest` how many of the slowest are listed, `verbose` 1 for the exchanges as they end, 2
    with their bodies; what fails is written to `written_file` as known, and all that was found to `outputs`."""

    repeat: int = 1
    fail_fast: bool = False
    slowest: int = 0
    verbose: int = 0
    written_file: Path | None = None
    outputs: Outputs = NO_FILES


def _file(name: str, what: str) -> Callable[[F], F]:
    kind = click.Path(path_type=Path, dir_okay=False)
    return click.option(f"--{name}", f"{name}_file", type=kind, help=f"Write {what} to this file.")


PLAIN = PlayOptions()
OPTIONS = (
    click.option("--fail-fast", is_flag=True, help="End the run at the first case that fails."),
    click.option(
        "--repeat",
        type=WholeNumber(1, 1000),
        default=1,
        metavar="N",
        help="Play each case N times, and list those that differ.",
    ),
    click.option("--slowest", type=WholeNumber(0), default=0, metavar="N", help="List the N cases that took longest."),
    click.option(
        "-v", "--verbose", count=True, help="Show each exchange when it has ended, on stderr; -vv with its bodies."
    ),
    click.option(
        "--write-baseline",
        "written_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write what fails now to this file, beside what --baseline lists.",
    ),
    _file("junit", "JUnit XML"),
    _file("summary", "a summary in Markdown"),
    _file("sarif", "SARIF 2.1.0, for code scanning"),
    _file("badge", "a badge (SVG) with the verdict"),
    _file("har", "every exchange, as HAR 1.2"),
)


def taken(given: dict[str, Any]) -> PlayOptions:
    """These options, taken out of all that were given. Raises `SuiteError` for a file that cannot be written."""
    outputs = Outputs(**{one.name: given.pop(f"{one.name}_file") for one in fields(Outputs)})
    outputs.check()
    plain = [one.name for one in fields(PlayOptions) if one.name != "outputs"]
    return PlayOptions(**{name: given.pop(name) for name in plain}, outputs=outputs)


def play_options(command: F) -> F:
    for option in reversed(OPTIONS):
        command = option(command)
    return command
