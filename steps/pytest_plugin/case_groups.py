"""Which cases are played together by one worker of pytest-xdist."""

from pathlib import PurePosixPath

CASE_FILES = (".feature", ".yaml", ".yml")
CONTRACT = "openapi"


def group_of(nodeid: str) -> str | None:
    """The folder of the file that a case is in, so that `features/chat` and `scenarios/chat` are one; of a contract the file itself, and None
    for anything else."""
    file = PurePosixPath(nodeid.partition("::")[0])
    if file.name.startswith(CONTRACT):
        return str(file)
    return file.parent.name if file.suffix in CASE_FILES else None
