"""The highest memory of a process, printed when it ends. It imports nothing of the suite."""

import atexit
import re
import resource
import sys
from pathlib import Path


def highest_mib() -> int:
    """Where the system tells it, that of this program alone: what `getrusage` gives counts the process that it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        assert found is not None
        return int(found[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)


def print_at_exit() -> None:
    atexit.register(lambda: print("PEAK", highest_mib()))  # noqa: T201
