"""Headers of every response: the id of its request, and the rate limit of its key. Every response is counted, too."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.common.workers.in_group import ASKED
from rollout_conformance.rollout_server.router import errors, request_auth
from rollout_conformance.rollout_server.router.app_state import AppState
from rollout_conformance.rollout_server.router.responses import error_response


class CommonHeaders:
    def __init__(self, app: ASGIApp, app_state: AppState, paths: frozenset[str]) -> None:
        self.app = app
        self.app_state = app_state
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = request_auth.request_id(Headers(scope=scope).get("x-request-id"))
        with_first_chunk = False

        async def sending(message: Message) -> None:
            nonlocal with_first_chunk
            if message["type"] == "http.response.start":
                with_first_chunk = True
                MutableHeaders(scope=message).update(headers(state))
                if not scope.get(ASKED):
                    self.app_state.metrics.http(self.label(scope), message["status"])
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            # Logged here and not by the server, whose log would quote the message of the exception.
            self.app_state.log.error("unexpected", request_id=state["request_id"], error=logs.location(error))
            if not with_first_chunk:
                await error_response(errors.internal(), state["request_id"])(scope, receive, sending)

    def label(self, scope: Scope) -> str:
        """The path of the route. Unknown paths share one label, or a scanner would fill the registry."""
        path = getattr(scope.get("route"), "path", scope["path"])
        return path if path in self.paths else "other"


def headers(state: Mapping[str, Any]) -> dict[str, str]:
    return {"X-Request-Id": state["request_id"], **request_auth.limit_headers(state.get("taken"))}
