"""SIGTERM ends a run as Ctrl-C does: started targets are stopped and the report is closed, whatever a supervisor sends first."""

import signal
import threading
from types import FrameType


def as_interruption() -> None:
    """From now on SIGTERM is an interruption. A thread that is not the main one may not say so, and leaves it as it is."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):  # as a shell starts what runs in the background
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)
