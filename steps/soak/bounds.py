"""What a soak measured against what the card allows."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.target_card import SoakBounds
from rollout_conformance.steps.soak.player import Soak


def exceeded(soak: Soak, bounds: SoakBounds) -> Iterator[str]:
    """One line a bound that the target went beyond, and one for each that could not be measured."""
    if bounds.p99_s is not None:
        for name, spread in soak.latencies.spreads().items():
            if spread.p99_ms > bounds.p99_s * 1000:
                yield f"{name}: p99 is {spread.p99_ms:g} ms, the card allows {bounds.p99_s * 1000:g} ms (soak.p99_s)"
    growth = soak.timeline.growth()
    yield from _growth("memory", growth.memory_mib, bounds.memory_growth_mib, "MiB", "memory_growth_mib")
    yield from _growth("open files", growth.open_files, bounds.open_files_growth, "files", "open_files_growth")


def _growth(what: str, grown: float | None, allowed: float | None, unit: str, member: str) -> Iterator[str]:
    if allowed is None:
        return
    if grown is None:
        yield f"{what}: not measured: the suite did not start the target, and its metrics do not show it (soak.{member})"
    elif grown > allowed:
        yield f"{what}: grew by {grown:g} {unit} since a quarter of the time, the card allows {allowed:g} (soak.{member})"
