"""Many requests at once, held at the engines until the case lets them go; and a client that does not read. They drive; none of them judges.

What a router does at its limit is seen while the engines still hold what was admitted, so nothing here depends on how fast anything is.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from rollout_conformance.steps.engine.session import MOST_PATIENCE, Session
from rollout_conformance.steps.engine.trace import Response
from rollout_conformance.steps.peers.scripted_backends import BackendLine, Plan
from rollout_conformance.steps.profiles.chat.requests import ChatRequest
from rollout_conformance.steps.profiles.router.actions import Play

LOOK_S = 0.02
STILL_S = 0.3  # a flow that has not moved for so long is held back


async def until(session: Session, happened: Callable[[], bool]) -> bool:
    """Look again and again; False when the patience is over first."""
    end = asyncio.get_running_loop().time() + session.patience_s
    while not happened():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(LOOK_S)
    return True


@dataclass(frozen=True, slots=True)
class Crowd:
    """Ask `times` times at once, and go on as soon as each request has reached an engine or was answered. `key` is one of those of `Send`."""

    times: int
    name: str = "crowd"
    stream: bool = False
    key: str = "right"

    @property
    def copies(self) -> int:
        return self.times

    async def perform(self, session: Session) -> None:
        plan: Plan = session.state["plan"]
        names = [f"{self.name}#{n + 1}" for n in range(self.times)]
        asks = [ChatRequest(name=name, user="Hello!", stream=self.stream, key=self.key) for name in names]
        crowd = [session.spawn(ask.perform(session)) for ask in asks]
        session.state.setdefault("crowd", []).extend(crowd)
        await until(session, lambda: len(plan.asked) - len(plan.finished) + sum(t.done() for t in crowd) >= self.times)


@dataclass(frozen=True, slots=True)
class LetGo:
    """Let the engines answer what they hold, and wait until the crowd has been told."""

    async def perform(self, session: Session) -> None:
        session.state["plan"].let_go()
        await asyncio.gather(*session.state.pop("crowd", []))


@dataclass(frozen=True, slots=True)
class Refill:
    """Ask `times` at once, until all of them are with an engine at the same time, or the patience is over. The last attempt is kept."""

    times: int
    name: str = "crowd"

    @property
    def copies(self) -> int:
        return self.times

    async def perform(self, session: Session) -> None:
        end = asyncio.get_running_loop().time() + session.patience_s
        while True:
            await Play((BackendLine(say="Done.", hold=True),)).perform(session)
            await Crowd(self.times, self.name).perform(session)
            full = len(session.state["plan"].asked) >= self.times
            await LetGo().perform(session)
            if full or asyncio.get_running_loop().time() > end:
                return
            await asyncio.sleep(LOOK_S)


@dataclass(frozen=True, slots=True)
class Dawdle:
    """Ask for a stream and read nothing of it until the engine has said all, or can say no more; then ask for the stream `other`, and hang
    up."""

    name: str = "slow"
    other: str = "other"

    async def perform(self, session: Session) -> None:
        ask = ChatRequest(name=self.name, user="Hello!", stream=True)
        asked = ask.request(session, ask.body_in(session))
        n = session.trace.open(asked, to_target=True, rollout="-")
        plan: Plan = session.state["plan"]
        try:
            async with (
                asyncio.timeout(session.patience_s * MOST_PATIENCE),
                session.client.stream(
                    "POST", session.target + ask.path, content=asked.body, headers=dict(asked.headers)
                ) as reply,
            ):
                await _stands_still(plan)
                session.state["poured"] = bool(plan.finished)
                await ChatRequest(name=self.other, user="Hello!", stream=True).perform(session)
                session.trace.close(n, Response(reply.status_code))
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            session.trace.close(n, fault=f"{type(error).__name__}: {error}")


async def _stands_still(plan: Plan) -> None:
    """Until the engine has said all, or the router took nothing more of it for a while."""
    sent, since = -1, asyncio.get_running_loop().time()
    while not plan.finished and asyncio.get_running_loop().time() - since < STILL_S:
        if plan.sent != sent:
            sent, since = plan.sent, asyncio.get_running_loop().time()
        await asyncio.sleep(LOOK_S)
