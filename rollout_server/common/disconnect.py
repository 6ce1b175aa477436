"""Work that ends when the client that waits for it disconnects."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

T = TypeVar("T")
CLIENT_CLOSED_REQUEST = 499  # nginx's number: the response is not read, it is for logs and records


async def until_disconnect(receive: Receive, work: Coroutine[Any, Any, T]) -> T | None:
    """The result, or None when the client disconnected first; then the work is cancelled, and has ended on return."""
    working, left = asyncio.current_task(), False
    assert working is not None

    def cancel(waiting: asyncio.Task[None]) -> None:
        nonlocal left
        left = not waiting.cancelled()
        if left:
            working.cancel()

    waiting = asyncio.create_task(disconnected(receive))
    waiting.add_done_callback(cancel)
    try:
        return await work
    except asyncio.CancelledError:
        if not left or working.cancelling() > 1:
            raise  # cancelled from outside
        return None
    finally:
        waiting.remove_done_callback(cancel)
        waiting.cancel()
        if left:
            working.uncancel()


async def disconnected(receive: Receive) -> None:
    """Returns when the client has disconnected. The body of the request must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
