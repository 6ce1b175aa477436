"""How far a run is: a bar on a terminal, elsewhere a line a minute, so that a long run is not silent."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

import click

EVERY_S = 60.0


class Progress(Protocol):
    def update(self, steps: int, failed: bool = False) -> None: ...


class Lines:
    """A line on stderr when a case ends and the last line is a minute old."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.failed = total, 0, 0
        self.began = self.last = time.monotonic()

    def update(self, steps: int, failed: bool = False) -> None:
        self.done += steps
        self.failed += failed
        now = time.monotonic()
        if now - self.last >= EVERY_S:
            self.last = now
            took = now - self.began
            left = took / self.done * (self.total - self.done)
            click.echo(f"judging: {_counts(self)} after {took:.0f} s, about {left:.0f} s left", err=True)


class Bar:
    """A bar with counts and the time left, as wide as the terminal."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.failed = total, 0, 0
        self.inner = click.progressbar(length=total, file=sys.stderr, width=0, show_pos=True, show_percent=False)

    def update(self, steps: int, failed: bool = False) -> None:
        self.done += steps
        self.failed += failed
        self.inner.label = f"{self.failed} failed" if self.failed else ""
        self.inner.update(steps)


def _counts(of: Lines) -> str:
    failed = f", {of.failed} failed" if of.failed else ""
    return f"{of.done} of {of.total} cases{failed}"


class Unfailing:
    """Progress that is shown as long as there is a terminal: one that was closed does not end the run."""

    def __init__(self, inner: Progress) -> None:
        self.inner = inner

    def update(self, steps: int, failed: bool = False) -> None:
        with contextlib.suppress(OSError):
            self.inner.update(steps, failed)


@contextlib.contextmanager
def shown(total: int, quiet: bool = False) -> Iterator[Progress]:
    """`quiet` where something else is shown on stderr, with which a bar would mix."""
    if quiet or not sys.stderr.isatty():
        yield Unfailing(Lines(total))
        return
    bar = Bar(total)
    with contextlib.suppress(OSError):
        bar.inner.__enter__()
    try:
        yield Unfailing(bar)
    finally:
        with contextlib.suppress(OSError):
            bar.inner.__exit__(None, None, None)
