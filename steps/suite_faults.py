"""What a user sees of a fault of the suite itself: one line. `ROLLOUT_CONFORMANCE_DEBUG=1` shows the traceback."""

import logging
import os
import sys
import traceback
from pathlib import Path

from rollout_conformance.steps.engine import author_code
from rollout_conformance.steps.paths import ROOT

VARIABLE = "ROLLOUT_CONFORMANCE_DEBUG"
LONGEST = 300


def debugging() -> bool:
    return os.environ.get(VARIABLE, "") not in ("", "0")


def line(error: BaseException) -> str:
    """A fault in one line, with the place in our code where it arose."""
    if debugging():
        traceback.print_exception(error)
    text = " ".join(str(error).split())
    what = f"{type(error).__name__}: {text[:LONGEST]}" if text else type(error).__name__
    if author := author_code.fault_of_author(error):
        return f"{author}: {what} ({VARIABLE}=1 shows the traceback)"
    return f"this is a fault of the suite, please report it: {what}{_place(error)} ({VARIABLE}=1 shows the traceback)"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).resolve().is_relative_to(ROOT / "steps")]
    if not frames:
        return ""
    at = (ours or frames)[-1]
    return f", at {Path(at.filename).name}:{at.lineno}"


def quiet() -> None:
    """Nothing but the suite itself writes tracebacks to the screen: neither what was never awaited, nor what ends with the interpreter."""
    if debugging():
        return
    logging.getLogger("asyncio").addFilter(_told)
    sys.unraisablehook = lambda fault: None


def _told(record: logging.LogRecord) -> bool:
    """A line in place of the traceback of a task that was not awaited; nothing of one that an early end left behind."""
    message = record.getMessage()
    if "was destroyed but it is pending" in message:
        return False
    if record.exc_info and record.exc_info[1] is not None:
        record.msg, record.args = line(record.exc_info[1]), ()
        record.exc_info = None
    return True
