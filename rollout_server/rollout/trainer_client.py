"""POSTs to the trainer: bounded in time and size, repeated only when that can help, byte for byte the same each time.

Requests go to the transport directly, without an `httpx.Client` around it. So no redirect is followed and no cookie,
proxy or credential of the environment comes along: the key of a rollout reaches the host that the rollout named, and no
other.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from rollout_conformance.rollout_server.rollout import errors, retry
from rollout_conformance.rollout_server.rollout.errors import RolloutError

IDLE_S = 1.0  # well below the keep-alive of common servers: a reused connection must not meet one that is closing


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    retry_after: str | None
    body: bytes


def transport() -> httpx.AsyncBaseTransport:
    """aiohttp under httpx's interface.

    httpx's own pool walks all waiting requests each time one begins or ends, which is quadratic: a thousand rollouts
    spend their time in the pool. It caps connections, too, while here every running rollout needs one of its own.
    """
    return AiohttpTransport(
        client=lambda: aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
    )


class TrainerClient:
    def __init__(self, transport: httpx.AsyncBaseTransport, max_reply_bytes: int) -> None:
        self._transport = transport
        self._max_reply_bytes = max_reply_bytes

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], policy: retry.Policy, timeout_s: float
    ) -> Answer:
        """The last answer, whatever its status. Raises `RolloutError` when there was none."""
        attempt = 1
        while True:
            try:
                answer = await self.attempt(url, body, attempt_headers(headers, attempt), timeout_s)
                status, retry_after = answer.status, answer.retry_after
            except RolloutError as error:
                if error.category not in ("network_error", "timeout") or attempt > policy.retries:
                    raise
                status, retry_after = None, None
            else:
                if not retry.should_retry(status) or attempt > policy.retries:
                    return answer
            await asyncio.sleep(retry.delay(policy, attempt, retry_after))
            attempt += 1

    async def attempt(self, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> Answer:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(httpx.Request("POST", parsed(url), content=body, headers=dict(headers)))
        except TimeoutError as error:
            raise errors.generation_timeout(timeout_s) from error
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
            raise errors.network() from error

    async def _exchange(self, request: httpx.Request) -> Answer:
        response = await self._transport.handle_async_request(request)
        try:
            body = await read_capped(response, self._max_reply_bytes)
        finally:
            await response.aclose()
        headers = response.headers
        return Answer(response.status_code, headers.get("content-type", ""), headers.get("retry-after"), body)


@lru_cache(maxsize=1024)  # parsing a URL costs more than the rest of the request, and trainers are few
def parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


async def read_capped(response: httpx.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise errors.invalid_reply(f"it is longer than {limit} bytes")
    return bytes(body)


def headers(api_key: str | None) -> dict[str, str]:
    """The same for everything that is sent to the trainer of one rollout."""
    base = {"content-type": "application/json", "accept": "application/json", "user-agent": "rollout-server"}
    return base | {"authorization": f"Bearer {api_key}"} if api_key else base


def attempt_headers(headers: Mapping[str, str], attempt: int) -> dict[str, str]:
    """The trainer can tell a repeated request from a new one by its Idempotency-Key, and count."""
    return dict(headers) | {"x-attempt": str(attempt)}
