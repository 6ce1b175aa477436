"""Before a case that makes backends fail: does the router use the backends that it used at first? Plain greetings show it, and help where
successes count. After a start: does the router know its backends already? Several answer their health check first and learn of backends later.

Whatever a router remembers of failures (failures in a row, a share of failures, a time without requests) no longer has an effect when every
backend that answered greetings at first does so again.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.peers.scripted_backends import Backends, BackendScript
from rollout_conformance.steps.profiles.chat.requests import CHAT

LOOKS = 16  # a backend of two that receives none of so many greetings is not used for them: one in 30,000 by chance
BACKENDS = 2  # behind each instance
TWICE = 2  # responses of a backend: a router that counts shares of failures needs more than one
ANSWER_S = 5.0
SOON_S, LATER_S = 0.02, 0.25
KNOWN_S = 10.0  # how long a router that was started may return 404 or 5xx, because it does not know its backends yet


@dataclass(slots=True)
class Greeter:
    """Sends greetings to instances of a router, and sees which backend responds. `used` are the backends of each that responded at first."""

    headers: Callable[[str], Mapping[str, str]]  # by variant
    backends: Backends
    nonce: Callable[[], str]
    used: dict[str, frozenset[str]] = field(default_factory=dict)

    async def well(self, client: httpx.AsyncClient, base_url: str, within_s: float) -> bool:
        """Send greetings until each backend that is used has responded twice; False when that took too long."""
        if base_url not in self.used:
            self.used[base_url] = await self._look(client, base_url)
        loop = asyncio.get_running_loop()
        end, counts, pause_s = loop.time() + within_s, Counter[str](), SOON_S
        while not all(counts[name] >= TWICE for name in self.used[base_url]):
            if loop.time() > end:
                return False
            _, backend = await self._greeted(client, base_url)
            counts[backend or ""] += 1
            if backend is None or counts[backend] > LOOKS:  # the other one is not used yet, and greetings hurry nothing
                await asyncio.sleep(pause_s)
                pause_s = min(LATER_S, pause_s * 2)
        return True

    async def _look(self, client: httpx.AsyncClient, base_url: str) -> frozenset[str]:
        found: set[str] = set()
        for _ in range(LOOKS):
            _, backend = await self._greeted(client, base_url)
            found |= {backend} if backend else set()
            if len(found) == BACKENDS:
                break
        return frozenset(found)

    async def served(self, client: httpx.AsyncClient, base_url: str, variant: str) -> None:
        """Send greetings to a router that was just started until both backends have responded; where one alone does, a few more, in case the
        router learns of the other one later. Another refusal than that of a router without backends is for the cases to judge."""
        end, found, looks = asyncio.get_running_loop().time() + KNOWN_S, set[str](), 0
        while asyncio.get_running_loop().time() < end:
            status, backend = await self._greeted(client, base_url, variant)
            found |= {backend} if backend else set()
            looks += bool(found)
            known = not found and status is not None and status != 404 and status < 500
            if known or len(found) == BACKENDS or looks == LOOKS:
                return
            await asyncio.sleep(SOON_S if found else LATER_S)

    async def _greeted(
        self, client: httpx.AsyncClient, base_url: str, variant: str = ""
    ) -> tuple[int | None, str | None]:
        """The status of one greeting, None when there was no response, and the backend that responded to it, if it was a success."""
        script = BackendScript(self.nonce(), Trace())
        self.backends.add(script)
        messages = [
            {"role": "system", "content": f"RouterSession {script.nonce}."},
            {"role": "user", "content": "Hello!"},
        ]
        body = json.dumps({"model": self.backends.model, "messages": messages}).encode()
        try:
            async with asyncio.timeout(ANSWER_S):
                reply = await client.post(f"{base_url}{CHAT}", content=body, headers=dict(self.headers(variant)))
        except (TimeoutError, httpx.HTTPError, OSError):
            return None, None
        finally:
            self.backends.scripts.pop(script.nonce, None)
        served = reply.status_code == 200 and script.received
        return reply.status_code, script.received[-1][0] if served else None
