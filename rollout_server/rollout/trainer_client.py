"""POSTs to the trainer: retried only when that can help, byte for byte the same each time."""

import asyncio
from collections.abc import Mapping

import httpx

from rollout_conformance.rollout_server.common import http_client
from rollout_conformance.rollout_server.common.http_client import HttpResponse, NoResponseError
from rollout_conformance.rollout_server.rollout import errors, retry
from rollout_conformance.rollout_server.rollout.errors import RolloutError


class TrainerClient:
    def __init__(self, transport: httpx.AsyncBaseTransport, max_reply_bytes: int) -> None:
        self._transport = transport
        self._max_reply_bytes = max_reply_bytes

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], policy: retry.Policy, timeout_s: float
    ) -> HttpResponse:
        """The last response, whatever its status. Raises `RolloutError` when there was none."""
        attempt = 1
        while True:
            try:
                response = await self.attempt(url, body, attempt_headers(headers, attempt), timeout_s)
                status, retry_after = response.status, response.retry_after
            except RolloutError as error:
                if error.category not in ("network_error", "timeout") or attempt > policy.retries:
                    raise
                status, retry_after = None, None
            else:
                if not retry.should_retry(status) or attempt > policy.retries:
                    return response
            await asyncio.sleep(retry.delay(policy, attempt, retry_after))
            attempt += 1

    async def attempt(self, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> HttpResponse:
        limit = self._max_reply_bytes
        try:
            return await http_client.send(self._transport, "POST", url, headers, body, limit=limit, timeout_s=timeout_s)
        except NoResponseError as error:
            if error.reason == "timeout":
                raise errors.generation_timeout(timeout_s) from error
            if error.reason == "too_long":
                raise errors.invalid_reply(f"it is longer than {limit} bytes") from error
            raise errors.network() from error


def headers(api_key: str | None) -> dict[str, str]:
    """Sent with every request of one rollout."""
    base = {"content-type": "application/json", "accept": "application/json", "user-agent": "rollout-server"}
    return base | {"authorization": f"Bearer {api_key}"} if api_key else base


def attempt_headers(headers: Mapping[str, str], attempt: int) -> dict[str, str]:
    """The trainer recognises a retry by the Idempotency-Key, which stays, and by the number of the attempt."""
    return dict(headers) | {"x-attempt": str(attempt)}
