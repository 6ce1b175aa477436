"""JSON requests to rollout servers and to a backend, each sent once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from rollout_conformance.rollout_server.common import http_client, json_text
from rollout_conformance.rollout_server.common.http_client import HttpResponse


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    method: Literal["GET", "POST"]
    url: str
    body: Any = None
    key: str | None = field(default=None, repr=False)

    def headers(self) -> Mapping[str, str]:
        headers = {"accept": "application/json", "user-agent": "reference-trainer"}
        if self.body is not None:
            headers["content-type"] = "application/json"
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        return headers


class Client:
    def __init__(self, transport: httpx.AsyncBaseTransport, reply_limit: int) -> None:
        self._transport = transport
        self._reply_limit = reply_limit

    async def send(self, request: OutgoingRequest, timeout_s: float) -> HttpResponse:
        """Raises `NoResponseError`. `timeout_s` is for the whole response, in seconds."""
        body = None if request.body is None else json_text.dumps(request.body)
        return await http_client.send(
            self._transport,
            request.method,
            request.url,
            request.headers(),
            body,
            limit=self._reply_limit,
            timeout_s=timeout_s,
        )
