"""Patches of endpoints. Starlette runs a handler on a thread unless it is a coroutine function, so a patched one has to be one too."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.mutants.framework import Patch

Handler = Callable[[Any, Request], Awaitable[Response]]


def around_handler(endpoint: Any, method: str, change: Callable[[Handler, Any, Request], Awaitable[Response]]) -> Patch:
    """Replace the method of an endpoint by `change(original, self, request)`."""

    def patch() -> None:
        original: Handler = getattr(endpoint, method)

        async def handle(self: Any, request: Request) -> Response:
            return await change(original, self, request)

        setattr(endpoint, method, handle)

    return patch
