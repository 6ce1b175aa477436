"""What every response has: an id, and a place in the metrics. An unexpected exception becomes a response that says nothing of it."""

import itertools
import uuid
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.training import errors
from rollout_conformance.rollout_server.training.app_state import AppState
from rollout_conformance.rollout_server.training.service import INTERNAL


class CommonHeaders:
    def __init__(self, app: ASGIApp, app_state: AppState, paths: frozenset[str]) -> None:
        self.app = app
        self.app_state = app_state
        self.paths = paths
        self.run, self.requests = uuid.uuid4().hex, itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, started = f"req-{self.run}-{next(self.requests)}", False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update({"X-Request-Id": request_id, "X-Content-Type-Options": "nosniff"})
                self.app_state.service.metrics.http(self.label(scope), message["status"])
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            # Logged here and not by the server, whose log would quote the message of the exception.
            self.app_state.log.error("unexpected", request_id=request_id, error=logs.location(error))
            if not started:
                await json_response(errors.envelope(INTERNAL, errors.SERVER), 500)(scope, receive, sending)

    def label(self, scope: Scope) -> Any:
        """The path of the route. Unknown paths share one label, or a scanner would fill the registry."""
        path = getattr(scope.get("route"), "path", scope["path"])
        return path if path in self.paths else "other"
