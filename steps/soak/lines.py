"""What a soak measured, as lines of a terminal and as the members of a report."""

from collections.abc import Iterator
from dataclasses import asdict

from rollout_conformance.steps.engine.run_summary import plural
from rollout_conformance.steps.soak.player import Soak
from rollout_conformance.steps.soak.timeline import Interval

BARS = " .:-=+*#%@"  # from nothing to the most, readable wherever there are letters
WIDTH = 60  # columns of a row of bars
SHOWN = 12  # classes of requests


def members(soak: Soak) -> dict[str, object]:
    """The line of a report."""
    spreads = soak.latencies.spreads().items()
    return {
        "seconds": round(soak.elapsed_s, 1),
        "interval_s": round(soak.timeline.interval_s, 2),
        "cases": len(soak.tally.cases),
        "plays": soak.tally.plays,
        "failures": soak.tally.failures,
        "turns": soak.turns,
        "not_begun": soak.not_begun,
        "rate": soak.plan.rate,
        "seed": soak.plan.seed,
        "classes": [{"name": name, **asdict(spread)} for name, spread in spreads],
        "intervals": [interval.line() for interval in soak.timeline.intervals],
    }


def lines(soak: Soak) -> Iterator[str]:
    """For a terminal."""
    seconds = max(soak.elapsed_s, 0.001)
    plays, cases = soak.tally.plays, len(soak.tally.cases)
    yield (
        f"Soak of {seconds:.0f} s: {plural(plays, 'play')} of {plural(cases, 'case')}, {plays / seconds:.1f} a second; "
        f"{soak.tally.failures} failed. The target made {plural(soak.turns, 'request')}."
    )
    if cases < soak.chosen:
        yield f"The time was too short for {plural(soak.chosen - cases, 'case')}: nothing is known of them."
    if soak.not_begun:
        yield (
            f"{plural(soak.not_begun, 'play')} were due and not begun, because -j cases were in flight: "
            f"the target or this machine is slower than --rate {soak.plan.rate:g}."
        )
    yield from _classes(soak)
    yield from _over_time(soak.timeline.intervals)
    yield from _growth(soak)


def _classes(soak: Soak) -> Iterator[str]:
    spreads = list(soak.latencies.spreads().items())[:SHOWN]
    width = max((len(name) for name, _ in spreads), default=0)
    for name, one in spreads:
        yield (
            f"  {name:<{width}}  {one.count:>7} requests  p50 {one.p50_ms:>8.1f} ms  p99 {one.p99_ms:>8.1f} ms  "
            f"longest {one.longest_ms:.0f} ms"
        )


def _over_time(intervals: list[Interval]) -> Iterator[str]:
    rows = [one.line() for one in intervals]
    for title, name in (("p99 of requests, ms", "p99_ms"), ("failed plays", "failures"), ("memory, MiB", "memory_mib")):
        values = [float(str(row[name])) for row in rows if row[name] is not None]
        if values and max(values) > 0:
            yield f"  {title:<20} |{_bars(values)}| at most {max(values):g}"


def _bars(values: list[float]) -> str:
    """Each column shows the most of its part of the time."""
    columns = min(WIDTH, len(values))
    parts = [values[len(values) * n // columns : len(values) * (n + 1) // columns] for n in range(columns)]
    most = max(values)
    return "".join(BARS[round(max(part) / most * (len(BARS) - 1))] for part in parts)


def _growth(soak: Soak) -> Iterator[str]:
    growth = soak.timeline.growth()
    if growth.memory_mib is not None:
        files = "" if growth.open_files is None else f", {growth.open_files:+d} open files and connections"
        yield f"  The target since a quarter of the time: {growth.memory_mib:+.1f} MiB of memory{files}."
