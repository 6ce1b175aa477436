"""`X-Correlation-ID` on every response: that of the request if it is a UUID, else a new one."""

import re
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.worker import errors

HEADER = "X-Correlation-ID"
UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class CorrelationIds:
    def __init__(self, app: ASGIApp, log: Any) -> None:
        self.app, self.log = app, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        id, started = correlation_id(Headers(scope=scope).get(HEADER)), False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)[HEADER] = id
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            # Logged here and not by the server, whose log would quote the message of the exception.
            self.log.error("unexpected", correlation_id=id, error=logs.location(error))
            if not started:
                await errors.response(errors.internal())(scope, receive, sending)


def correlation_id(given: str | None) -> str:
    return given if given is not None and UUID.fullmatch(given) else str(uuid.uuid4())
