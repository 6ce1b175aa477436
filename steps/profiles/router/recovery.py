"""Before a case that makes engines fail: is the router as well as it was at first? Plain greetings show it, and help where successes count.

Whatever a router remembers of failures (failures in a row, a share of failures, a time to rest) is over when every engine that
answered greetings at first does so again.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.peers.completion_responses import MODEL
from rollout_conformance.steps.peers.scripted_backends import Backends, Plan
from rollout_conformance.steps.profiles.chat.requests import CHAT

LOOKS = 16  # an engine of two that these do not meet is not used for greetings: one in 30,000 by chance
ENGINES = 2  # behind each instance
TWICE = 2  # of an engine's answers: a router that counts shares wants more than one
ANSWER_S = 5.0
SOON_S, LATER_S = 0.02, 0.25


@dataclass(slots=True)
class Greeter:
    """Greets instances of a router, and sees which engine answers. `used` are the engines of each that answered when it was fresh."""

    headers: Mapping[str, str]
    backends: Backends
    nonce: Callable[[], str]
    used: dict[str, frozenset[str]] = field(default_factory=dict)

    async def well(self, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool:
        """Greet until each engine that is used has answered twice; False when that took too long."""
        if base_url not in self.used:
            self.used[base_url] = await self._look(client, base_url)
        loop = asyncio.get_running_loop()
        end, counts, pause_s = loop.time() + within_s, Counter[str](), SOON_S
        while not all(counts[name] >= TWICE for name in self.used[base_url]):
            if loop.time() > end:
                return False
            engine = await self._engine(client, base_url)
            counts[engine or ""] += 1
            if engine is None or counts[engine] > LOOKS:  # another one rests, and greetings hurry nothing
                await asyncio.sleep(pause_s)
                pause_s = min(LATER_S, pause_s * 2)
        return True

    async def _look(self, client: httpx.AsyncClient, base_url: str) -> frozenset[str]:
        found: set[str] = set()
        for _ in range(LOOKS):
            found |= {engine} if (engine := await self._engine(client, base_url)) else set()
            if len(found) == ENGINES:
                break
        return frozenset(found)

    async def _engine(self, client: httpx.AsyncClient, base_url: str) -> str | None:
        """The engine that answered one greeting, None when the router gave no good answer."""
        plan = Plan(self.nonce(), Trace())
        self.backends.enroll(plan)
        told = [{"role": "system", "content": f"Session {plan.nonce}."}, {"role": "user", "content": "Hello!"}]
        body = json.dumps({"model": MODEL, "messages": told}).encode()
        try:
            async with asyncio.timeout(ANSWER_S):
                reply = await client.post(f"{base_url}{CHAT}", content=body, headers=dict(self.headers))
        except (TimeoutError, httpx.HTTPError, OSError):
            return None
        finally:
            self.backends.plans.pop(plan.nonce, None)
        return plan.asked[-1][0] if reply.status_code == 200 and plan.asked else None
