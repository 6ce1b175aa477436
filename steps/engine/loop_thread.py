"""An event loop in a thread of its own: schemathesis asks and waits, our peers have to answer meanwhile."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

T = TypeVar("T")
LONGEST_S = 150.0  # longer than any case may take


class LoopThread:
    """Runs coroutines of other threads, one loop for all of them. Use as a context manager."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="rollout-conformance", daemon=True)
        self.open: list[AbstractAsyncContextManager[object]] = []

    def __enter__(self) -> "LoopThread":
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            with contextlib.ExitStack() as leaving:
                leaving.callback(self._idle)
                for context in self.open:
                    leaving.callback(self._leave, context)
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(timeout=10)
            if not self.loop.is_running():
                self.loop.close()

    def _leave(self, context: AbstractAsyncContextManager[object]) -> None:
        self.call(context.__aexit__(None, None, None))

    def _idle(self) -> None:
        self.call(_idle())

    def call(self, work: Coroutine[object, object, T], timeout_s: float = LONGEST_S) -> T:
        """The result of a coroutine, or its exception. Raises `TimeoutError` when it takes longer than `timeout_s`."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a context on the loop; it is left when this one is."""
        value = self.call(context.__aenter__())
        self.open.append(context)
        return value


async def _idle() -> None:
    """End what is still under way, so that the loop can be closed without a word."""
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
