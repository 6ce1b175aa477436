"""Conversations that begin alike or do not, and engines that go and come. They drive; none of them judges."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.peers.scripted_backends import Plan
from rollout_conformance.steps.profiles.chat.requests import ChatRequest
from rollout_conformance.steps.profiles.router.concurrency import LOOK_S

LONG = "All that is written here is of one kind, and the same for everybody who reads it. "  # 82 letters


@dataclass(frozen=True, slots=True)
class Converse:
    """`times` conversations, each of `turns` turns. They share a beginning of `alike` letters, or have none in common where that is 0."""

    times: int = 1
    name: str = "talk"
    turns: int = 1
    alike: int = 0

    async def perform(self, session: Session) -> None:
        for n in range(self.times):
            await self._one(session, n)

    async def _one(self, session: Session, n: int) -> None:
        messages: list[Mapping[str, Any]] = [{"role": "system", "content": self._beginning(session, n)}]
        for turn in range(self.turns):
            question = f"{self.name} {n}, question {turn}, of {session.state['session_name']}"
            messages = [*messages, {"role": "user", "content": question}]
            name = f"{self.name}#{n * self.turns + turn + 1}"
            await ChatRequest(name=name, body={"messages": messages}).perform(session)
            messages = [*messages, {"role": "assistant", "content": f"Answer {turn}."}]

    def _beginning(self, session: Session, n: int) -> str:
        """What is alike is so within the case only: the router may remember the other ones."""
        if not self.alike:
            return f"{self.name} {n} of {session.state['session_name']}. {LONG}"
        return (f"{session.state['session_name']}. " + LONG * (self.alike // len(LONG) + 1))[: self.alike]


@dataclass(frozen=True, slots=True)
class LastDies:
    """The engine that was asked last is dead for this case from now on."""

    async def perform(self, session: Session) -> None:
        plan: Plan = session.state["plan"]
        if plan.asked:
            plan.gone.add(plan.asked[-1][0])


@dataclass(frozen=True, slots=True)
class Engines:
    """These engines are down from now on, and no other is: they break every connection off, to their health as well."""

    down: tuple[str, ...] = ()

    async def perform(self, session: Session) -> None:
        down: set[str] = session.context.backends.down
        down.clear()
        down.update(self.down)


@dataclass(frozen=True, slots=True)
class AskUntil:
    """Ask again and again until this engine is asked, or the patience is over twice: one that failed may rest meanwhile."""

    engine: str
    name: str = "until"

    async def perform(self, session: Session) -> None:
        plan: Plan = session.state["plan"]
        end = asyncio.get_running_loop().time() + 2 * session.patience_s
        n = 0
        while self.engine not in {name for name, _ in plan.asked} and asyncio.get_running_loop().time() < end:
            n += 1
            await ChatRequest(name=f"{self.name}#{n}", user="Hello!").perform(session)
            await asyncio.sleep(LOOK_S)


@dataclass(frozen=True, slots=True)
class Stop:
    """Tell the router to end, and wait until it has; what is in flight goes on meanwhile."""

    async def perform(self, session: Session) -> None:
        await asyncio.gather(session.state["target"].stop(), *session.state.pop("crowd", []))
