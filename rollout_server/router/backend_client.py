"""Requests to the backends. Every failure is one of four kinds; messages of libraries are dropped."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.router.backend_pool import Backend
from rollout_conformance.rollout_server.router.errors import Failure
from rollout_conformance.rollout_server.router.request_validation import InferenceRequest

IDLE_S = 1.0  # below the keep-alive of vLLM: a reused connection must not meet one that is being closed
PROBE_S = 5.0
RESET = (aiohttp.ClientError, OSError, ValueError)


class BackendError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class BackendReply:
    """A response whose headers have arrived. The caller closes it, which also ends the work of the backend."""

    def __init__(self, response: aiohttp.ClientResponse, timeout_s: float) -> None:
        self._response = response
        self._timeout_s = timeout_s
        self.status = response.status
        self.content_type = response.headers.get("content-type", "application/json")
        self.retry_after = response.headers.get("retry-after")

    async def read_all(self, limit: int) -> bytes:
        body = bytearray()
        while chunk := await self._chunk():
            body += chunk
            if len(body) > limit:
                raise BackendError("invalid")
        return bytes(body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """As they arrive. Raises `BackendError` when the backend fails, or sends nothing for too long."""
        while chunk := await self._chunk():
            yield chunk

    async def _chunk(self) -> bytes:
        content = self._response.content
        try:
            if (come := content.read_nowait()) or content.is_eof():  # most often: a short body arrives with its headers
                return come
            async with asyncio.timeout(self._timeout_s):
                return await content.readany()
        except TimeoutError:
            raise BackendError("timeout") from None
        except RESET:
            raise BackendError("connect") from None

    def close(self) -> None:
        """The connection is kept after a complete read, and closed otherwise."""
        if self._response.content.at_eof() and self._response.content.exception() is None:
            self._response.release()
        else:
            self._response.close()


class BackendClient:
    def __init__(self, timeout_s: float, connect_timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._connect = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s)
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """Created at the first request, inside the event loop. No cookies, and no proxy of the environment."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._connect,
            )
        return self._session

    async def ask(self, backend: Backend, path: str, body: bytes, headers: Mapping[str, str]) -> BackendReply:
        """Raises `BackendError` without a response in time."""
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self.session().post(
                    backend.spec.url + path,
                    data=body,
                    headers={**headers, **credentials(backend)},
                    allow_redirects=False,
                )
        except aiohttp.ConnectionTimeoutError:
            raise BackendError("connect") from None
        except TimeoutError:
            raise BackendError("timeout") from None
        except RESET:
            raise BackendError("connect") from None
        return BackendReply(response, self._timeout_s)

    async def get(self, backend: Backend, path: str) -> tuple[int, Any]:
        """The status and the JSON of a short response."""
        try:
            async with (
                asyncio.timeout(PROBE_S),
                self.session().get(
                    backend.spec.url + path, headers=credentials(backend), allow_redirects=False
                ) as response,
            ):
                body = await response.read()
        except TimeoutError:
            raise BackendError("timeout") from None
        except RESET:
            raise BackendError("connect") from None
        try:
            return response.status, json_text.loads(body)
        except json_text.NotJsonError:
            return response.status, None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def credentials(backend: Backend) -> dict[str, str]:
    return {"Authorization": f"Bearer {backend.spec.key.get_secret_value()}"} if backend.spec.key else {}


def headers(inference: InferenceRequest, streams: bool) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Accept": "text/event-stream" if streams else "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "reference-router",
        "X-Request-Id": inference.request_id,
        **(inference.trace.headers if inference.trace else {}),
    }
