"""How far a run is: a bar on a terminal, elsewhere a line a minute, so that a long run is not silent."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

import click

EVERY_S = 60.0


class Progress(Protocol):
    def update(self, steps: int) -> None: ...


class Lines:
    """A line on stderr when a case ends and the last line is a minute old."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.began = self.last = time.monotonic()

    def update(self, steps: int) -> None:
        self.done += steps
        now = time.monotonic()
        if now - self.last >= EVERY_S:
            self.last = now
            click.echo(f"judging: {self.done} of {self.total} cases after {now - self.began:.0f} s", err=True)


@contextlib.contextmanager
def shown(total: int) -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield Lines(total)
        return
    with click.progressbar(length=total, label="judging", file=sys.stderr) as bar:
        yield bar
