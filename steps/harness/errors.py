"""What can go wrong with the process of a worker, each with its command, the end of its log, and what to do."""

import shlex
from collections.abc import Sequence

from rollout_conformance.steps.engine.targets import EndedEarlyError, NotReadyError, NotStartedError, StartError

SHOWN_LINES = 8


class HarnessError(Exception):
    """`command` is the command line, `log` all that the process wrote."""

    def __init__(self, what: str, command: Sequence[str], log: str, mend: str) -> None:
        super().__init__(f"{what}\n  command: {shlex.join(command)}\n  {_tail(log)}\n  {mend}")
        self.command, self.log = tuple(command), log


class WorkerNotStartedError(HarnessError):
    """There is no such program, or it cannot be executed."""


class WorkerNotReadyError(HarnessError):
    """It runs, and its health check did not succeed in time."""


class WorkerDiedError(HarnessError):
    """It ended by itself: before it was ready, or later."""


class WorkerClosedError(HarnessError):
    """It was ended with `close`, and is used again."""


def of_start(error: StartError, ready_s: float) -> HarnessError:
    """The error of the harness for one of the start of a target."""
    words, log = error.words, error.log
    if isinstance(error, NotStartedError):
        mend = "Check that the program is installed and that its path is right."
        return WorkerNotStartedError("The worker could not be started.", words, log, mend)
    if isinstance(error, NotReadyError):
        mend = "Read the log; if the model takes longer to load, give a Config with a larger ready_s."
        return WorkerNotReadyError(f"GET /health did not succeed within {ready_s:g} s.", words, log, mend)
    if isinstance(error, EndedEarlyError):
        return died(words, log, "before it was ready")
    return HarnessError(str(error), words, log, "Read the log.")


def died(words: Sequence[str], log: str, when: str) -> WorkerDiedError:
    mend = "Read the log, and start the command by itself with a free port."
    return WorkerDiedError(f"The worker ended {when}.", words, log, mend)


def closed(words: Sequence[str], log: str) -> WorkerClosedError:
    return WorkerClosedError("The worker was closed, and is used again.", words, log, "Start another one.")


def _tail(log: str) -> str:
    lines = log.strip().splitlines()[-SHOWN_LINES:]
    return "the end of its log:\n    " + "\n    ".join(lines) if lines else "it wrote nothing"
