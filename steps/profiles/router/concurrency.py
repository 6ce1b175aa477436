"""Many requests at the same time, and a client that does not read its response. These steps drive; none of them judges."""

import asyncio
from dataclasses import dataclass

import httpx

from rollout_conformance.steps.engine.session import MOST_PATIENCE
from rollout_conformance.steps.engine.trace import Response
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.requests import NamedRequest
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.http.waiting import LOOK_S, repeat_until
from rollout_conformance.steps.peers.scripted_backends import BackendResponse, BackendScript
from rollout_conformance.steps.profiles.chat.requests import ChatRequest
from rollout_conformance.steps.profiles.router.backends import (
    ReleaseBackends,
    ScriptBackends,
    WaitForBackends,
    script_of,
)
from rollout_conformance.steps.profiles.router.context import RouterSession

OTHER = 2  # times the patience of the case, after which the request of the other client counts as not answered
STILL_S = 0.3  # a stream that has not moved for so long is stopped by backpressure


@verb("retry_until_admitted", short="times", example="4")
@phrase("{times:int} requests are sent at the same time, repeatedly until each of them reaches a backend")
@dataclass(frozen=True, slots=True)
class RetryUntilAdmitted(NamedRequest):
    """Send several requests at the same time, repeatedly until all of them are at the backends at once, or the patience of the case is
    over. The responses of the last attempt are kept."""

    times: int
    "How many requests are sent at the same time."

    @property
    def copies(self) -> int:
        return self.times

    async def perform(self, session: RouterSession) -> None:
        name = responses_of(session).reserve(self.name)

        async def attempt() -> bool:
            await ScriptBackends((BackendResponse(text="Done.", hold=True),)).perform(session)
            await ChatRequest(name=name, user="Hello!", times=self.times, background=True).perform(session)
            await WaitForBackends().perform(session)
            full = len(script_of(session).received) >= self.times
            await ReleaseBackends().perform(session)
            return full

        await repeat_until(session, attempt)


@verb("slow_reader", short="name", example="other")
@phrase("a client does not read its stream, and another client sends a request for a stream")
@dataclass(frozen=True, slots=True)
class SlowReader(NamedRequest):
    """Send a request for a stream and read nothing of it until the backend has sent all of it, or can send no more; then send another
    request for a stream, whose response is kept, and disconnect."""

    async def perform(self, session: RouterSession) -> None:
        chat = ChatRequest(user="Hello!", stream=True)
        request = chat.request(session, chat.body_in(session))
        n = session.trace.open(request, to_target=True, rollout="-")
        script = script_of(session)
        try:
            async with (
                asyncio.timeout(session.patience_s * MOST_PATIENCE),
                session.client.stream(
                    "POST", session.target + chat.path, content=request.body, headers=dict(request.headers)
                ) as response,
            ):
                await _stopped(session, script)
                session.state["read_ahead"] = bool(script.finished)
                await self._other(session)
                session.trace.close(n, Response(response.status_code))
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            session.trace.close(n, fault=f"{type(error).__name__}: {error}")

    async def _other(self, session: RouterSession) -> None:
        """The other request. It has no queue before it, so it is waited for less long than the whole target is."""
        patience_s, session.patience_s = session.patience_s, session.patience_s * OTHER / MOST_PATIENCE
        try:
            await ChatRequest(name=self.name, user="Hello!", stream=True).perform(session)
        finally:
            session.patience_s = patience_s


async def _stopped(session: RouterSession, script: BackendScript) -> None:
    """Until the backend has sent all, or the router has read nothing more of it for a while."""
    loop = asyncio.get_running_loop()
    sent, since = -1, loop.time()

    async def look() -> bool:
        nonlocal sent, since
        if script.bytes_sent != sent:
            sent, since = script.bytes_sent, loop.time()
        return bool(script.finished) or loop.time() - since >= STILL_S

    await repeat_until(session, look, for_s=session.patience_s * MOST_PATIENCE, every_s=LOOK_S)
