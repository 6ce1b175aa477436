"""The reference rollout server with a defect that shows once in so many rollouts or turns, as no single play of a case finds it."""

import asyncio
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from starlette.types import ASGIApp, Receive, Scope, Send

from rollout_conformance.rollout_server.app import create_app
from rollout_conformance.rollout_server.rollout import agent
from rollout_conformance.rollout_server.rollout.rollout_state import Message

EVERY = "RARE_FAULT_EVERY"
STARTS = ("/v1/rollout/init", "/rollout")


def _is_start(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in STARTS


class RareFault(ABC):
    """Does its wrong to one start in `EVERY`."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner, self.numbers = inner, itertools.count(1)
        self.every = int(os.environ.get(EVERY, "200"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wrong = _is_start(scope) and next(self.numbers) % self.every == 0
        await (self.wrong if wrong else self.inner)(scope, receive, send)

    @abstractmethod
    async def wrong(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is done to the start in place of what the reference does."""


class Lost(RareFault):
    """Accepts the rollout and does nothing."""

    async def wrong(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"status": "accepted"}'})


class Leaking(RareFault):
    """Answers rightly and keeps a mebibyte of every start."""

    kept: ClassVar[list[bytes]] = []

    async def wrong(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.kept.append(os.urandom(2**20))
        await self.inner(scope, receive, send)


class Slow(RareFault):
    """Answers after two seconds."""

    async def wrong(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(2)
        await self.inner(scope, receive, send)


def losing_turns(**settings: Any) -> ASGIApp:
    """One reply in `EVERY` is missing in the history: in the next generation request, and in the result."""
    turns, every, original = itertools.count(1), int(os.environ.get(EVERY, "200")), agent.next_history

    def next_history(history: Sequence[Message], message: Message) -> Sequence[Message]:
        return history if next(turns) % every == 0 else original(history, message)

    agent.next_history = next_history
    return create_app(**settings)


def lost(**settings: Any) -> ASGIApp:
    return Lost(create_app(**settings))


def leaking(**settings: Any) -> ASGIApp:
    return Leaking(create_app(**settings))


def slow(**settings: Any) -> ASGIApp:
    return Slow(create_app(**settings))
