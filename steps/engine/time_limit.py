"""A bound on judging, which is plain computing: it never waits, and it holds up everything else on its event loop.

What counts is the CPU time of the thread where the clock of one can be read, so that a verdict does not depend on the load of the machine. On
the main thread the alarm of the system ends the block, even within a regular expression; on another thread an exception that is set
from outside does, at the next step of Python code. Neither comes after the block has ended.
"""

import contextlib
import ctypes
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.paths import ROOT

JUDGING_S = 5.0  # the judge of a case takes milliseconds
LEAST_S = 0.01

_alarmed: "time_limit | None" = None  # the block that the alarm is set for
_watched: "set[time_limit]" = set()  # the blocks that a thread of ours watches
_forbidden: type[BaseException] | None = None


class OutOfTime(SuiteError):
    """The block took longer than it may."""

    def __init__(self, text: str = "could not be judged in its time") -> None:
        super().__init__(text)


class time_limit:  # noqa: N801 - a context manager, written like the functions that make one
    """`with time_limit(5, 'case "x"'):` raises `OutOfTime` in this thread when the block computes for longer."""

    def __init__(self, seconds: float, what: str) -> None:
        self.seconds, self.what = seconds, what
        self.active = False
        self.cut_by: BaseException | type[BaseException] | None = None
        self.where = ""
        self.by_alarm = False

    def __enter__(self) -> "time_limit":
        if _forbidden is not None:
            raise _forbidden
        self.thread = threading.get_ident()
        self.began = time.thread_time()
        self.by_alarm = _can_be_alarmed()
        self.active = True
        if self.by_alarm:
            self._set_alarm()
        else:
            self._set_watch()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.active = False  # from here on nothing is raised any more
        if self.by_alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)
        else:
            self._end_watch()
        if self.cut_by is None:
            return
        if isinstance(self.cut_by, OutOfTime) or self.cut_by is OutOfTime:
            raise OutOfTime(self._text()) from None  # also where the judge swallowed the first: it was cut somewhere
        if error is None or isinstance(error, Exception):
            raise self.cut_by

    def _text(self) -> str:
        return f"could not be judged within {self.seconds:g} s: {self.what}{self.where}"

    # On the main thread.

    def _set_alarm(self) -> None:
        global _alarmed
        _alarmed = self
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def rung(self, frame: FrameType | None) -> None:
        """The alarm rang: end the block, or wait for the time that others had of it."""
        left = self.seconds - (time.thread_time() - self.began)
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, max(left, LEAST_S))
            return
        self.where = _where(frame)
        self.cut_here(OutOfTime(self._text()))

    def cut_here(self, by: BaseException) -> None:
        self.active, self.cut_by = False, by
        raise by

    # On any other thread.

    def _set_watch(self) -> None:
        self.lock, self.over = threading.Lock(), threading.Event()
        _watched.add(self)
        threading.Thread(target=self._watch, name="time limit", daemon=True).start()

    def _watch(self) -> None:
        left = self.seconds
        while left > 0:
            if self.over.wait(max(left, LEAST_S)):
                return
            with self.lock:
                left = self._left() if self.active else 1.0
        self.cut_there(OutOfTime)

    def _left(self) -> float:
        """What the thread may still compute. It is alive: it cannot leave the block while the lock is held."""
        if not hasattr(time, "pthread_getcpuclockid"):  # macOS
            return 0.0
        return self.seconds - (time.clock_gettime(time.pthread_getcpuclockid(self.thread)) - self.began)

    def cut_there(self, by: type[BaseException]) -> None:
        """Raise in the thread of the block, once, and only while it is in the block."""
        with self.lock:
            if self.active and self.cut_by is None:
                self.where = _where(sys._current_frames().get(self.thread))
                self.cut_by = by
                _watched.discard(self)
                _raise_in(self.thread, by)

    def _end_watch(self) -> None:
        self.over.set()
        with self.lock:  # whoever cuts has cut, and nobody begins to
            _watched.discard(self)
        if self.cut_by is not None:
            _raise_in(self.thread, None)  # what was set and not yet raised


def forbid(by: type[BaseException] | None) -> None:
    """From now on every block raises this instead of beginning."""
    global _forbidden
    _forbidden = by


def cut_main(by: BaseException) -> None:
    """Raise here and now when this, the main thread, is judging. For handlers of signals."""
    if _alarmed is not None and _alarmed.active:
        _alarmed.cut_here(by)


def cut_others(by: type[BaseException]) -> None:
    """Raise in every block that is watched by a thread of ours."""
    for block in list(_watched):
        block.cut_there(by)


def _raise_in(thread: int, kind: type[BaseException] | None) -> None:
    what = ctypes.py_object(kind) if kind is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)


def _can_be_alarmed() -> bool:
    """Whether the alarm is ours to set: on the main thread, not within another block, and not taken by other code."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        return False
    if _alarmed is not None and _alarmed.active:
        return False
    if signal.getsignal(signal.SIGALRM) is signal.SIG_DFL:
        signal.signal(signal.SIGALRM, _rung)
    return signal.getsignal(signal.SIGALRM) is _rung


def _rung(number: int, frame: FrameType | None) -> None:
    if _alarmed is not None and _alarmed.active:
        _alarmed.rung(frame)


def _where(frame: FrameType | None) -> str:
    """The innermost line of the suite that was computing."""
    while frame is not None:
        with contextlib.suppress(ValueError):
            file = Path(frame.f_code.co_filename).relative_to(ROOT)
            if file.parts[0] in ("steps", "contracts") and file.name != Path(__file__).name:
                return f" (busy in {file.as_posix()}:{frame.f_lineno})"
        frame = frame.f_back
    return ""
