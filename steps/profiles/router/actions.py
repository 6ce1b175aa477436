"""What the engines behind the router do, and what the client asks: frozen values. The client's verbs are those of the profile `chat`."""

import asyncio
from dataclasses import dataclass

from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.peers.scripted_backends import BackendLine, Plan
from rollout_conformance.steps.profiles.chat.requests import ChatRequest
from rollout_conformance.steps.profiles.router.context import RouterContext


@dataclass(frozen=True, slots=True)
class Play:
    """Give the engines their script: each request plays the next line, whichever engine gets it; the last one is played on."""

    lines: tuple[BackendLine, ...] = (BackendLine(),)

    @property
    def waits_s(self) -> float:
        """How long an engine keeps the router waiting at most, before it answers."""
        return max(line.delay_s for line in self.lines)

    async def perform(self, session: Session) -> None:
        context: RouterContext = session.context
        plan = Plan(context.nonce(), session.trace, self.lines)
        context.backends.enroll(plan)
        session.state["plan"], session.state["unmatched_requests"] = plan, len(context.backends.unmatched_requests)
        session.state.setdefault("plans", []).append(plan)
        session.state["session_name"] = plan.nonce


@dataclass(frozen=True, slots=True)
class Hangs:
    """Wait until the router has hung up on every engine that was asked, or until the patience is over. No patience is named where the
    streams are endless: then it is no matter how late a busy machine notices."""

    within_s: float = 0.0

    async def perform(self, session: Session) -> None:
        plan: Plan = session.state["plan"]
        end = asyncio.get_running_loop().time() + (self.within_s or session.patience_s)
        while len(plan.left) + len(plan.finished) < len(plan.asked) and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class AskMany:
    """Ask `times` times, one after the other or all together."""

    times: int
    name: str = "many"
    key: str = "right"
    together: bool = False

    @property
    def copies(self) -> int:
        return self.times if self.together else 0

    async def perform(self, session: Session) -> None:
        asks = [
            ChatRequest(name=f"{self.name}#{n + 1}", user="Hello!", key=self.key).perform(session)
            for n in range(self.times)
        ]
        if self.together:
            await asyncio.gather(*asks)
            return
        for ask in asks:
            await ask


@dataclass(frozen=True, slots=True)
class Pause:
    """Let so many seconds pass: a limit is about time."""

    seconds: float

    async def perform(self, session: Session) -> None:
        await asyncio.sleep(self.seconds)
