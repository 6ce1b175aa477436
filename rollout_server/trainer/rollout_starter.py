"""Starts rollouts at rollout servers and waits for their results.

A start that is answered with 429 is sent again after Retry-After; every other response that is not a success ends the
rollout.
"""

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import ValidationError

from rollout_conformance.contracts.rollout import wire
from rollout_conformance.rollout_server.common.http_client import HttpResponse, NoResponseError
from rollout_conformance.rollout_server.trainer.http_client import Client, OutgoingRequest
from rollout_conformance.rollout_server.trainer.session import Session
from rollout_conformance.rollout_server.trainer.start_request import StartPlan

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 60.0  # bounds of Retry-After, which may be 0 or a day
PAUSE_S = 1.0  # without a Retry-After that can be parsed
KEPT_TOOLS = 256  # rollout servers whose tools are remembered

REASONS = {
    "network": "The connection to the rollout server failed",
    "timeout": "The rollout server did not answer in time",
    "too_long": "The response of the rollout server is too long",
}


class FailedError(Exception):
    """The rollout ends with ERROR; the text is for people."""


class RolloutStarter:
    def __init__(self, client: Client, server_key: str | None, tools_timeout_s: float) -> None:
        self._client = client
        self._key = server_key
        self._tools_timeout_s = tools_timeout_s
        self._tools: dict[str, Sequence[Any]] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, session: Session, start: StartPlan, timeout_s: float) -> None:
        """Returns when the session has ended, which it does within `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await (self._sync if start.dialect == "sync" else self._callback)(session, start, timeout_s)
        except TimeoutError:
            session.end("TIMEOUT", error_message=f"No result within {timeout_s:g} s")
        except FailedError as error:
            session.end("ERROR", error_message=str(error))

    async def _sync(self, session: Session, start: StartPlan, timeout_s: float) -> None:
        session.set_tools(await self.tools_of(start.server))
        response = await self.post(start, timeout_s)
        result = check(response, 200, wire.RolloutResult, start.rollout_id)
        finish(session, result)

    async def _callback(self, session: Session, start: StartPlan, timeout_s: float) -> None:
        response = await self.post(start, timeout_s)
        if not session.ended.is_set():  # a completion may arrive before the 202
            session.set_tools(check(response, 202, wire.InitReply, start.rollout_id)["tools"])
        await session.ended.wait()

    async def tools_of(self, server: str) -> Sequence[Any]:
        """The tools of a server of the sync dialect, requested once. Raises `FailedError`."""
        async with self._asking[server]:
            if server not in self._tools:
                response = await self.exchange(
                    OutgoingRequest("GET", f"{server}/tools", key=self._key), self._tools_timeout_s
                )
                self._keep(server, check(response, 200, wire.ToolsReply)["tools"])
            return self._tools[server]

    def _keep(self, server: str, tools: Sequence[Any]) -> None:
        self._tools[server] = tools
        while len(self._tools) > KEPT_TOOLS:
            oldest = next(iter(self._tools))
            del self._tools[oldest], self._asking[oldest]

    async def post(self, start: StartPlan, timeout_s: float) -> HttpResponse:
        """The first response to the start request that is not 429. Raises `FailedError`."""
        request = OutgoingRequest("POST", start.url, start.body, self._key)
        while (response := await self.exchange(request, timeout_s)).status == 429:
            await asyncio.sleep(pause(response.retry_after))
        return response

    async def exchange(self, request: OutgoingRequest, timeout_s: float) -> HttpResponse:
        try:
            return await self._client.send(request, timeout_s)
        except NoResponseError as error:
            raise FailedError(REASONS[error.reason]) from error


def check(response: HttpResponse, status: int, model: type[Any], rollout_id: str | None = None) -> Any:
    """The unchanged body of a success. Raises `FailedError` for anything else."""
    if response.status != status:
        raise FailedError(f"The rollout server answered HTTP {response.status}, expected {status}")
    body = response.json()
    try:
        model.model_validate(body)
    except ValidationError as error:
        raise FailedError("The response of the rollout server does not conform to the protocol") from error
    if rollout_id is not None and body["rollout_id"] != rollout_id:
        raise FailedError("The response of the rollout server has another rollout_id")
    return body


def finish(session: Session, result: Mapping[str, Any]) -> bool:
    """Ends the session with a terminal result. False when it had ended before."""
    return session.end(
        result["status"],
        finish_reason=result.get("finish_reason"),
        error_message=result.get("error_message"),
        result=result,
    )


def pause(retry_after: str | None) -> float:
    """Seconds to wait: Retry-After, a number or a date (RFC 9110, 10.2.3), within bounds; a second for anything else."""
    seconds = number(retry_after) if retry_after else None
    return PAUSE_S if seconds is None else min(max(seconds, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)


def number(retry_after: str) -> float | None:
    try:
        seconds = float(retry_after)
    except ValueError:
        return until(retry_after)
    return seconds if math.isfinite(seconds) else None


def until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
