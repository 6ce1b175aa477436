"""Garbage collection for a server with many live objects and few reference cycles."""

import gc


def collect_rarely() -> None:
    """Collect less often, and not among what lives as long as the process.

    A thousand running requests are a million live objects with hardly a cycle. At Python's own thresholds the search
    for cycles takes between an eighth and a third of the processing time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
