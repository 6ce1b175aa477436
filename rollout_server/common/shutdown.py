"""Begin the shutdown when the signal arrives, not when the last request has ended.

A server such as uvicorn waits for open requests before it ends the lifespan of its application. A sync rollout is an open
request for as long as it runs, so by then it is too late to end it with a response.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def on_signal(begin: Callable[[], None]) -> Iterator[None]:
    """Call `begin` on the event loop at a signal; the server's own handler is called as well."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in SIGNALS if _has_handler(signal.getsignal(number))}
    if threading.current_thread() is not threading.main_thread():
        before = {}
    ours = {number: _calling_first(loop, begin, handler) for number, handler in before.items()}
    for number, handler in ours.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in ours.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, before[number])


def _has_handler(handler: Any) -> bool:
    """Whether the server handles the signal. Where nothing does, the process ends, which is right."""
    return callable(handler) and handler is not signal.default_int_handler


def _calling_first(loop: asyncio.AbstractEventLoop, begin: Callable[[], None], handler: Any) -> Any:
    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin)
        handler(number, frame)

    return handle
