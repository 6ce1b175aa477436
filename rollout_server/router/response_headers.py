"""What every answer has, whoever wrote it: the id of its request, the limits of its key, and its place in the numbers."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.router import errors, request_auth
from rollout_conformance.rollout_server.router.app_state import Kit
from rollout_conformance.rollout_server.router.responses import refused


class Framed:
    def __init__(self, app: ASGIApp, kit: Kit, paths: frozenset[str]) -> None:
        self.app = app
        self.kit = kit
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = request_auth.request_id(Headers(scope=scope).get("x-request-id"))
        begun = False

        async def framed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message).update(added(state))
                self.kit.metrics.http(self.label(scope), message["status"])
            await send(message)

        try:
            await self.app(scope, receive, framed)
        except Exception as error:
            # Told here and not by the server, whose log would quote what a request was about.
            self.kit.log.error("unexpected", request_id=state["request_id"], error=logs.place(error))
            if not begun:
                await refused(errors.internal(), state["request_id"])(scope, receive, framed)

    def label(self, scope: Scope) -> str:
        """The path as the routes have it. Unknown paths share one label, or a scanner would fill the registry."""
        path = getattr(scope.get("route"), "path", scope["path"])
        return path if path in self.paths else "other"


def added(state: Mapping[str, Any]) -> dict[str, str]:
    return {"X-Request-Id": state["request_id"], **request_auth.limit_headers(state.get("taken"))}
