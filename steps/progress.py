"""How far a run is: a bar on a terminal, elsewhere a line a minute, so that a long run is not silent."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import click

from rollout_conformance.steps.engine.printable import printable

EVERY_S = 60.0


class Progress(Protocol):
    def update(self, steps: int, failed: bool = False) -> None: ...


InFlight = Callable[[], Sequence[tuple[str, float]]]


class Lines:
    """A line on stderr when a case ends and the last line is a minute old. `in_flight` gives the cases that are being played, with how many
    seconds each has been."""

    def __init__(self, total: int, in_flight: InFlight = tuple) -> None:
        self.total, self.done, self.failed, self.in_flight = total, 0, 0, in_flight
        self.began = self.last = time.monotonic()

    def update(self, steps: int, failed: bool = False) -> None:
        self.done += steps
        self.failed += failed
        now = time.monotonic()
        if now - self.last >= EVERY_S:
            self.last = now
            click.echo(
                f"judging: {_counts(self)} after {now - self.began:.0f} s{self._rest(now - self.began)}", err=True
            )

    def _rest(self, took: float) -> str:
        """How long the rest takes, by what a case took so far. What has been in flight for longer than that says that it is wrong: then it is
        named instead."""
        left = self.total - self.done
        estimate = took / self.done * left
        oldest, age = max(self.in_flight(), key=lambda one: one[1], default=("", 0.0))
        if estimate >= max(1.0, age):
            return f", about {estimate:.0f} s left"
        named = f', the oldest of them in flight for {age:.0f} s: "{printable(oldest)}"' if oldest else ""
        return f", {left} left{named}" if left else ""


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
def shown(total: int, quiet: bool = False, in_flight: InFlight = tuple) -> Iterator[Progress]:
    """`quiet` where something else is shown on stderr, with which a bar would mix; `in_flight` as for `Lines`."""
    if quiet or not sys.stderr.isatty():
        yield Unfailing(Lines(total, in_flight))
        return
    bar = Bar(total)
    with contextlib.suppress(OSError):
        bar.inner.__enter__()
    try:
        yield Unfailing(bar)
    finally:
        with contextlib.suppress(OSError):
            bar.inner.__exit__(None, None, None)
