"""Outgoing HTTP requests, bounded in time and size.

They go to the transport directly, without an `httpx.Client` around it. So no redirect is followed, and no cookie, proxy
or credential of the environment is added: a key reaches only the host that it was given for.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from rollout_conformance.rollout_server.common import json_text

IDLE_S = 1.0  # below the keep-alive of common servers: a reused connection must not meet one that is being closed

Reason = Literal["network", "timeout", "too_long"]


class NoResponseError(Exception):
    """No complete response was received."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class HttpResponse:
    status: int
    content_type: str
    retry_after: str | None
    body: bytes

    def json(self) -> Any:
        """The body as a value, None when it is not JSON."""
        try:
            return json_text.loads(self.body)
        except json_text.NotJsonError:
            return None


def transport() -> httpx.AsyncBaseTransport:
    """aiohttp under httpx's interface.

    httpx's own pool walks all waiting requests each time one begins or ends, which is quadratic: a thousand rollouts
    spend their time in the pool. It limits connections, too, while here every running rollout needs one of its own.
    """
    return AiohttpTransport(
        client=lambda: aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
    )


async def send(
    transport: httpx.AsyncBaseTransport,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    limit: int,
    timeout_s: float,
) -> HttpResponse:
    """One attempt. Raises `NoResponseError`; `limit` is in bytes, `timeout_s` covers the whole response."""
    try:
        async with asyncio.timeout(timeout_s):
            request = httpx.Request(method, parsed(url), content=body, headers=dict(headers))
            return await _exchange(transport, request, limit)
    except TimeoutError as error:
        raise NoResponseError("timeout") from error
    except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
        raise NoResponseError("network") from error


async def _exchange(transport: httpx.AsyncBaseTransport, request: httpx.Request, limit: int) -> HttpResponse:
    response = await transport.handle_async_request(request)
    try:
        body = await read_body(response, limit)
    finally:
        await response.aclose()
    headers = response.headers
    return HttpResponse(response.status_code, headers.get("content-type", ""), headers.get("retry-after"), body)


@lru_cache(maxsize=1024)  # parsing a URL costs more than the rest of the request, and hosts are few
def parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


async def read_body(response: httpx.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise NoResponseError("too_long")
    return bytes(body)
