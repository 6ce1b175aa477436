"""Starts rollouts at rollout servers and waits for what becomes of them.

A start that is answered 429 is sent again after what the server asks for; every other answer that is no success ends the rollout.
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
from rollout_conformance.rollout_server.trainer.http_client import Answer, Ask, Client, NoAnswerError
from rollout_conformance.rollout_server.trainer.session import Session
from rollout_conformance.rollout_server.trainer.start_request import Start

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 60.0  # a server that says 0 is not hammered, one that says a day not obeyed
PAUSE_S = 1.0  # when a 429 does not say for how long, or says something else
KEPT_TOOLS = 256  # rollout servers whose tools are remembered

TROUBLE = {
    "network": "The connection to the rollout server failed",
    "timeout": "The rollout server did not answer in time",
    "too_long": "The answer of the rollout server is too long",
}


class FailedError(Exception):
    """The rollout ends with ERROR; the text is for people."""


class Initiator:
    def __init__(self, client: Client, server_key: str | None, tools_timeout_s: float) -> None:
        self._client = client
        self._key = server_key
        self._tools_timeout_s = tools_timeout_s
        self._tools: dict[str, Sequence[Any]] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, session: Session, start: Start, timeout_s: float) -> None:
        """Returns when the session has ended, which it does within `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await (self._sync if start.dialect == "sync" else self._callback)(session, start, timeout_s)
        except TimeoutError:
            session.end("TIMEOUT", error_message=f"No result within {timeout_s:g} s")
        except FailedError as error:
            session.end("ERROR", error_message=str(error))

    async def _sync(self, session: Session, start: Start, timeout_s: float) -> None:
        session.know(await self.tools_of(start.server))
        answer = await self.post(start, timeout_s)
        result = check(answer, 200, wire.RolloutResult, start.rollout_id)
        finish(session, result)

    async def _callback(self, session: Session, start: Start, timeout_s: float) -> None:
        answer = await self.post(start, timeout_s)
        if not session.ended.is_set():  # a completion may overtake the 202
            session.know(check(answer, 202, wire.InitReply, start.rollout_id)["tools"])
        await session.ended.wait()

    async def tools_of(self, server: str) -> Sequence[Any]:
        """The tools of a server of the sync dialect, asked for once. Raises `FailedError`."""
        async with self._asking[server]:
            if server not in self._tools:
                answer = await self.exchange(Ask("GET", f"{server}/tools", key=self._key), self._tools_timeout_s)
                self._keep(server, check(answer, 200, wire.ToolsReply)["tools"])
            return self._tools[server]

    def _keep(self, server: str, tools: Sequence[Any]) -> None:
        self._tools[server] = tools
        while len(self._tools) > KEPT_TOOLS:
            oldest = next(iter(self._tools))
            del self._tools[oldest], self._asking[oldest]

    async def post(self, start: Start, timeout_s: float) -> Answer:
        """The answer to the start request that is not 429. Raises `FailedError`."""
        ask = Ask("POST", start.url, start.body, self._key)
        while (answer := await self.exchange(ask, timeout_s)).status == 429:
            await asyncio.sleep(pause(answer.retry_after))
        return answer

    async def exchange(self, ask: Ask, timeout_s: float) -> Answer:
        try:
            return await self._client.send(ask, timeout_s)
        except NoAnswerError as error:
            raise FailedError(TROUBLE[error.trouble]) from error


def check(answer: Answer, status: int, model: type[Any], rollout_id: str | None = None) -> Any:
    """The body of a success, as it came. Raises `FailedError` for anything else."""
    if answer.status != status:
        raise FailedError(f"The rollout server answered HTTP {answer.status} where {status} is a success")
    body = answer.json()
    try:
        model.model_validate(body)
    except ValidationError as error:
        raise FailedError("The answer of the rollout server cannot be read") from error
    if rollout_id is not None and body["rollout_id"] != rollout_id:
        raise FailedError("The rollout server answered for another rollout")
    return body


def finish(session: Session, result: Mapping[str, Any]) -> bool:
    """The terminal result of either dialect, when it is the first."""
    return session.end(
        result["status"],
        finish_reason=result.get("finish_reason"),
        error_message=result.get("error_message"),
        result=result,
    )


def pause(retry_after: str | None) -> float:
    """Seconds to wait: a number or a date of the server within bounds, a second for what is neither."""
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
