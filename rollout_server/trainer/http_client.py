"""Requests to rollout servers and to a backend: bounded in time and size, sent once, to the host that was named.

They go to the transport directly, without an `httpx.Client` around it: no redirect is followed, and no cookie, proxy or credential of
the environment comes along.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import httpx

from rollout_conformance.rollout_server.common import json_text

Trouble = Literal["network", "timeout", "too_long"]


class NoAnswerError(Exception):
    """There was no whole answer."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    retry_after: str | None
    body: bytes

    def json(self) -> Any:
        """The body as a value, None when it is no JSON."""
        try:
            return json_text.loads(self.body)
        except json_text.NotJsonError:
            return None


@dataclass(frozen=True, slots=True)
class Ask:
    method: Literal["GET", "POST"]
    url: str
    body: Any = None
    key: str | None = field(default=None, repr=False)


class Client:
    def __init__(self, transport: httpx.AsyncBaseTransport, reply_limit: int) -> None:
        self._transport = transport
        self._reply_limit = reply_limit

    async def send(self, ask: Ask, timeout_s: float) -> Answer:
        """Raises `NoAnswerError`. `timeout_s` is for the whole answer, in seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(request(ask))
        except TimeoutError as error:
            raise NoAnswerError("timeout") from error
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswerError("network") from error

    async def _exchange(self, request: httpx.Request) -> Answer:
        response = await self._transport.handle_async_request(request)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._reply_limit:
                    raise NoAnswerError("too_long")
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers.get("retry-after"), bytes(body))


def request(ask: Ask) -> httpx.Request:
    content = None if ask.body is None else json_text.dumps(ask.body)
    return httpx.Request(ask.method, ask.url, content=content, headers=headers(ask))


def headers(ask: Ask) -> Mapping[str, str]:
    base = {"accept": "application/json", "user-agent": "reference-trainer"}
    typed = base if ask.body is None else base | {"content-type": "application/json"}
    return typed | {"authorization": f"Bearer {ask.key}"} if ask.key else typed
