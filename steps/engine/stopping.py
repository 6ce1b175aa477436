"""How a run ends early: by a signal, or because its time is over. One place decides it, and the event loop does it.

A signal cancels the main task of the loop, and nothing is raised in whatever frame happens to run: that may be the serving of a connection,
whose loss would then be the fault of the target. Where no loop runs in the main thread, it is an interruption there, as Ctrl-C is.
A thread watches that the end comes: what does not end by itself is killed.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from steps.engine import time_limit
from steps.engine.process_guard import GUARD

T = TypeVar("T")
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
GRACE_S = 0.5  # what started processes have for an orderly end, all at once
LAST_RESORT_S = 1.5  # after as long without an end, what is left is killed
NOTICED_S, LOOK_S = 0.5, 0.01  # a main thread that can handle a signal does so within this
SPEAKING_S = 10.0  # somebody is printing what was found, to a slow terminal perhaps
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
        self.loop: Any = None
        self.task: Any = None
        self.last_words: Callable[[], int] | None = None
        self.spoken: int | None = None
        self.patience_s: float | None = LAST_RESORT_S
        self._speaking = threading.Lock()
        self._done = threading.Event()
        self._deadline: float | None = None
        self._bound = Reason("its time being over")
        self._bells: tuple[socket.socket, socket.socket] | None = None

    def listen(self) -> None:
        """From now on signals end what runs. Without effect on a thread that is not the main one.

        SIGINT and SIGTERM do so also where they were ignored, as SIGINT is in what a shell starts in the background; SIGHUP does not where
        somebody has asked for that (`nohup`).
        """
        if threading.current_thread() is not threading.main_thread() or self._bells is not None:
            return
        self._bells = socket.socketpair()
        for bell in self._bells:
            bell.setblocking(False)
        signal.set_wakeup_fd(self._bells[1].fileno(), warn_on_full_buffer=False)
        for number in _numbers():
            if number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._signalled)
        threading.Thread(target=self._watch, args=(self._bells[0],), name="ending", daemon=True).start()

    def after(self, seconds: float, text: str) -> None:
        """End after so many seconds from now, as a signal would."""
        self._bound, self._deadline = Reason(text), time.monotonic() + seconds
        if self._bells is not None:
            self._bells[1].send(b"\0")

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

    def attach(self, loop: Any, task: Any) -> None:
        """`task` is what is cancelled; without one the end is only noted, for whoever asks."""
        self.loop, self.task = loop, task

    def detach(self) -> None:
        self.loop = self.task = None

    def speak(self, words: Callable[[], int] | None = None) -> int | None:
        """Print and report what was found: by `words`, or the last ones. Gives their exit code, None where somebody else has the word."""
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
        if self._bells is not None:
            self._bells[1].send(bytes([number]))  # for a watch that took it for somebody else's
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

    def _watch(self, bell: socket.socket) -> None:
        """In a thread of its own: rung by every signal, also while the main thread is busy."""
        heard: set[int] = set()
        while not heard:
            rung = self._heard(bell) & set(_numbers())
            heard = rung if rung and self._is_ours() else set()
        from asyncio import CancelledError

        time_limit.forbid(CancelledError)
        time_limit.cut_others(CancelledError)
        if self.patience_s is not None and not self._done.wait(self.patience_s):
            self._kill(self.reason or _reason(heard.pop()))

    def _is_ours(self) -> bool:
        """Whether a signal that rang the bell is for us. It rings as well for one that somebody else handles for a while, as a server does
        in a test: then our handler is not called, although the main thread could call it."""
        end = time.monotonic() + NOTICED_S
        main = threading.main_thread().ident or 0
        before = _position(main)
        while self.reason is None and time.monotonic() < end:
            if _position(main) != before:
                end = min(end, time.monotonic() + NOTICED_S / 5)  # it runs, so that its handlers do
            time.sleep(LOOK_S)
        return self.reason is not None or (_position(main) == before and _is_computing(main))

    def _heard(self, bell: socket.socket) -> set[int]:
        """The signals that came; when the time is over, one that we send ourselves."""
        import select

        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        if select.select([bell], [], [], left)[0]:
            return set(bell.recv(512))
        if self._deadline is None or time.monotonic() < self._deadline:
            return set()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        return {int(signal.SIGTERM)}

    def _kill(self, reason: Reason) -> None:
        self.reason = reason
        GUARD.signal_all(signal.SIGKILL)
        if self._speaking.locked():
            self._done.wait(SPEAKING_S)
        with contextlib.suppress(Exception):  # nothing may keep the process from its end
            if self.speak() is None and self.spoken is None:
                sys.stderr.write(f"Ended early by {reason.text}.\n")
        leave(reason.code or self.spoken or NO_JUDGEMENT)


def run(main: Coroutine[Any, Any, T], runner: Any = None) -> T:
    """`asyncio.run`, or the same on a runner that goes on, ended by signals.

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


def _position(thread: int) -> tuple[int, int]:
    """Where a thread is in its Python code."""
    frame = sys._current_frames().get(thread)
    return (id(frame), frame.f_lasti) if frame is not None else (0, 0)


def _is_computing(thread: int) -> bool:
    """Whether a thread that stays at one line of Python uses the processor there, as a regular expression does, and does not merely wait."""
    if not hasattr(time, "pthread_getcpuclockid"):  # macOS
        return True
    clock = time.pthread_getcpuclockid(thread)
    before = time.clock_gettime(clock)
    time.sleep(LOOK_S * 10)
    return time.clock_gettime(clock) > before


def _reason(number: int) -> Reason:
    return Reason(signal.Signals(number).name, 128 + number)


ENDING = Ending()
