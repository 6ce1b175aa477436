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


class Unfailing:
    """Progress that is shown as long as there is somebody to show it to: a terminal that was closed ends no run by itself."""

    def __init__(self, inner: Progress) -> None:
        self.inner = inner

    def update(self, steps: int) -> None:
        with contextlib.suppress(OSError):
            self.inner.update(steps)


@contextlib.contextmanager
def shown(total: int, quiet: bool = False) -> Iterator[Progress]:
    """`quiet` where something else is shown on stderr, with which a bar would mix."""
    if quiet or not sys.stderr.isatty():
        yield Unfailing(Lines(total))
        return
    bar = click.progressbar(length=total, label="judging", file=sys.stderr)
    with contextlib.suppress(OSError):
        bar.__enter__()
    try:
        yield Unfailing(bar)
    finally:
        with contextlib.suppress(OSError):
            bar.__exit__(None, None, None)
