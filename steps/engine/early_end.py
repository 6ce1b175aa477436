"""How a run ends early: by a signal, or because its time is over. One place decides it, and the event loop does it.

A signal cancels the main task of the loop, and nothing is raised in whatever frame happens to run: that may be the serving of a connection,
whose loss would then be the fault of the target. Where no loop runs in the main thread, it is an interruption there, as Ctrl-C is.
A thread watches that the end comes: what does not end by itself is killed.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Runner, Task

from rollout_conformance.steps.engine import time_limit
from rollout_conformance.steps.engine.process_guard import GUARD

T = TypeVar("T")
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
GRACE_S = 0.5  # what started processes have for an orderly end, all at once
LAST_RESORT_S = 1.5  # after as long without an end, what is left is killed
SPEAKING_S = 10.0  # the findings are being printed, perhaps to a slow terminal
NO_JUDGEMENT = 2


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run ends early. `code` is the exit code that a signal asks for; None where what was found decides."""

    text: str
    code: int | None = None


class Interrupted(KeyboardInterrupt):
    """Raised where no event loop can be asked to end."""


class Ending:
    """Whether this process is to end, and how. There is one of it."""

    def __init__(self) -> None:
        self.reason: Reason | None = None
        self.began = 0.0
        self.loop: AbstractEventLoop | None = None
        self.task: Task[object] | None = None
        self.last_words: Callable[[], int] | None = None
        self.spoken: int | None = None
        self.patience_s: float | None = LAST_RESORT_S
        self._speaking = threading.Lock()
        self._done = threading.Event()
        self._deadline: float | None = None
        self._bound = Reason("its time being over")
        self._news: SimpleQueue[None] = SimpleQueue()  # may be put to by a handler of signals, whatever it interrupts
        self._listening = False

    def listen(self) -> None:
        """From now on signals end what runs. Without effect on a thread that is not the main one.

        SIGINT and SIGTERM do so also where they were ignored, as SIGINT is in what a shell starts in the background; SIGHUP does not where
        the user has asked for that (`nohup`).
        """
        if threading.current_thread() is not threading.main_thread() or self._listening:
            return
        self._listening = True
        for number in _numbers():
            if number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._signalled)
        threading.Thread(target=self._watch, name="ending", daemon=True).start()

    def after(self, seconds: float, text: str) -> None:
        """End after so many seconds from now, as a signal would."""
        self._bound, self._deadline = Reason(text), time.monotonic() + seconds
        self._news.put(None)

    @contextlib.contextmanager
    def bounded(self, seconds: float, text: str) -> Iterator[None]:
        """The same for a block."""
        self.after(seconds, text)
        try:
            yield
        finally:
            self._deadline = None

    def done(self) -> None:
        """Nothing is left to be ended; signals are of no interest any more."""
        self._deadline = None
        self._done.set()

    def accept(self) -> bool:
        """Whether a signal ended what runs, for a command that ends so in order: the exit code is then its own."""
        ended, self.reason = self.reason is not None and self.reason.code is not None, None
        return ended

    def attach(self, loop: "AbstractEventLoop", task: "Task[object] | None") -> None:
        """`task` is what is cancelled; without one the end is only noted, for those that ask."""
        self.loop, self.task = loop, task

    def detach(self) -> None:
        self.loop = self.task = None

    def speak(self, words: Callable[[], int] | None = None) -> int | None:
        """Print and report what was found: by `words`, or the last ones. Gives their exit code, None where another thread prints."""
        words = words or self.last_words
        if words is None or not self._speaking.acquire(blocking=False):
            return None
        try:
            self.spoken = words()
            return self.spoken
        finally:
            self.last_words = None
            self._speaking.release()

    def grace(self, seconds: float) -> float:
        """How long a started process has for an orderly end; all of them together, once the whole run is ending."""
        return seconds if self.reason is None else max(0.0, self.began + GRACE_S - time.monotonic())

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self.reason is not None or self._done.is_set():
            return  # it is ending already
        late = number == signal.SIGTERM and self._deadline is not None and time.monotonic() >= self._deadline
        self.began = time.monotonic()
        self.reason = self._bound if late else _reason(number)
        self._news.put(None)
        if self.loop is None:
            raise interrupted()
        with contextlib.suppress(RuntimeError):  # it was closed this very moment: everything has come to its end
            self.loop.call_soon_threadsafe(self._cancel)
        from asyncio import CancelledError

        time_limit.forbid(CancelledError)  # others may be about to judge, before the loop comes to our call
        time_limit.cut_main(CancelledError())

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def _watch(self) -> None:
        """In a thread of its own: calls time, and sees to it that what is to end does."""
        while self.reason is None and not self._late():
            self._wait_for_news()
        from asyncio import CancelledError

        time_limit.forbid(CancelledError)
        time_limit.cut_others(CancelledError)
        if self.patience_s is not None and not self._done.wait(self.patience_s):
            self._kill(self.reason or self._bound)

    def _wait_for_news(self) -> None:
        deadline = self._deadline
        with contextlib.suppress(Empty):
            self._news.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))

    def _late(self) -> bool:
        """Whether the time is over. The main thread is told by a signal of ours, which also ends what it waits for."""
        if self._deadline is None or time.monotonic() < self._deadline:
            return False
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        return True

    def _kill(self, reason: Reason) -> None:
        self.reason = reason
        GUARD.signal_all(signal.SIGKILL)
        if self._speaking.locked():
            self._done.wait(SPEAKING_S)
        with contextlib.suppress(Exception):  # nothing may keep the process from its end
            if self.speak() is None and self.spoken is None:
                sys.stderr.write(f"Ended early by {reason.text}.\n")
        leave(reason.code or self.spoken or NO_JUDGEMENT)


def run(main: Coroutine[object, None, T], runner: "Runner | None" = None) -> T:
    """`asyncio.run`, or the same on a runner that continues, ended by signals.

    Raises `Interrupted` when one ended it and `main` did not come to an end of its own.
    """
    import asyncio

    async def attached() -> T:
        ENDING.attach(asyncio.get_running_loop(), asyncio.current_task())
        if ENDING.reason is not None:  # something swallowed the interruption
            raise asyncio.CancelledError
        try:
            return await main
        finally:
            ENDING.task = None

    try:
        return runner.run(attached()) if runner is not None else asyncio.run(attached())
    except asyncio.CancelledError:
        raise interrupted() from None
    finally:
        main.close()
        ENDING.detach()


def interrupted() -> Interrupted:
    return Interrupted(f"ended early by {ENDING.reason.text if ENDING.reason is not None else 'an interruption'}")


def leave(code: int) -> None:
    """End this process now, with all that was printed."""
    GUARD.close()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # a terminal that was closed takes nothing any more
            stream.flush()
    os._exit(code)


def _numbers() -> list[int]:
    return [int(getattr(signal, name)) for name in NAMES if hasattr(signal, name)]


def _reason(number: int) -> Reason:
    return Reason(signal.Signals(number).name, 128 + number)


ENDING = Ending()
