"""What the target itself uses: memory and connections of a process that the suite started, or what its metrics say."""

import contextlib
from dataclasses import dataclass
from typing import TypeVar

import httpx
import psutil

from rollout_conformance.steps.engine.targets import Target
from rollout_conformance.steps.http.metrics import samples, total

MIB = 2**20
SCRAPE_S = 2.0
# The names that the official Prometheus clients give to what they know of their process.
RESIDENT, OPEN_FILES = "process_resident_memory_bytes", "process_open_fds"


@dataclass(frozen=True, slots=True)
class Usage:
    """`memory_mib` is resident memory, `open_files` counts open files and connections together; None for what is not shown."""

    memory_mib: float | None = None
    open_files: int | None = None

    def beyond(self, earlier: "Usage") -> "Usage":
        """How much more than earlier; None for what one of the two does not show."""
        return Usage(_more(self.memory_mib, earlier.memory_mib), _more(self.open_files, earlier.open_files))


N = TypeVar("N", int, float)


def _more(now: N | None, earlier: N | None) -> N | None:
    return None if now is None or earlier is None else now - earlier


UNKNOWN = Usage()


async def usage_of(target: Target, client: httpx.AsyncClient, metrics_path: str) -> Usage:
    """What a target uses now. Never raises for what the target does."""
    if target.process is not None:
        return of_process(target.process.pid)
    with contextlib.suppress(httpx.HTTPError, OSError):
        reply = await client.get(target.base_url + metrics_path, timeout=SCRAPE_S)
        return of_metrics(reply.text) if reply.status_code == 200 else UNKNOWN
    return UNKNOWN


def of_process(pid: int) -> Usage:
    """Of a process and all that it started."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return UNKNOWN
    memory, files = 0, 0
    for one in family:
        with contextlib.suppress(psutil.Error):  # it may have ended meanwhile
            memory += one.memory_info().rss
            files += one.num_fds() if hasattr(one, "num_fds") else 0
    return Usage(round(memory / MIB, 1), files)


def of_metrics(page: str) -> Usage:
    """Of a page of metrics in the text format of Prometheus."""
    values = samples(page)
    memory, files = total(values, RESIDENT), total(values, OPEN_FILES)
    return Usage(None if memory is None else round(memory / MIB, 1), None if files is None else int(files))
