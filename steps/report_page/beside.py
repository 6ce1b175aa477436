"""The same cases of another run, found one by one: neither of the two reports is held in memory."""

from rollout_conformance.steps.engine.report_file import Report, Result, result_at
from rollout_conformance.steps.report_page.page import Beside


def beside(this: Report, other: Report) -> Beside:
    """Another run for a page, and the names of the two."""
    offsets = other.offsets()
    names = _names(this, other)

    def find(case: str) -> Result | None:
        at = offsets.get(case)
        return None if at is None else result_at(other.file, at)

    return Beside(names[1], names[0], find)


def _names(this: Report, other: Report) -> tuple[str, str]:
    """How the two differ: by their backend, else by their file."""
    backends = this.header.backend, other.header.backend
    if backends[0] != backends[1]:
        return backends
    return (this.file.stem, other.file.stem) if this.file.stem != other.file.stem else (str(this.file), str(other.file))
