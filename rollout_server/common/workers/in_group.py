"""An application as one process of a group: what it has not is handed to the process that has it, or asked of all."""

import asyncio
from collections.abc import Callable, Sequence

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollout_conformance.rollout_server.common.workers.group import Group, is_private
from rollout_conformance.rollout_server.common.workers.hand_over import Answer, GoneError, Headers, Messenger, replay

Merge = Callable[[Sequence[Answer]], bytes]

ASKED = "asked_by_group"  # in the scope of a request that another process asks of all: it is not counted again


class InGroup:
    """A subclass knows which requests are not for this process alone."""

    def __init__(self, app: ASGIApp, group: Group) -> None:
        self.app = app
        self.group = group
        self.messenger = Messenger(group)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            try:
                await self.app(scope, receive, send)
            finally:
                await self.messenger.close()
        elif scope["type"] != "http":
            await self.app(scope, receive, send)
        elif is_private(scope):
            await self.app({**scope, ASKED: self.merge_of(scope) is not None}, receive, send)
        else:
            await self.route(scope, receive, send)

    async def route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request of a client."""
        raise NotImplementedError

    def merge_of(self, scope: Scope) -> Merge | None:
        """How the responses of all processes become one; None for a request that one process answers."""
        raise NotImplementedError

    def unavailable(self) -> Response:
        """While the process that has what is requested is started again."""
        raise NotImplementedError

    async def hand_over(self, owner: int, scope: Scope, receive: Receive, send: Send) -> None:
        if owner == self.group.index:
            await self.app(scope, receive, send)
            return
        try:
            await self.messenger.forward(owner, scope, receive, send)
        except GoneError:
            await self.unavailable()(scope, receive, send)

    async def gather(self, merge: Merge, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """One response from those of all processes that have one; where none has, that of this process."""
        asked = asyncio.gather(*(self.messenger.ask(index, scope, body) for index in self.group.others()))
        own = await answer_of(self.app, scope, replay(body, receive))
        others = await asked
        answers = [answer for answer in (own, *others) if answer is not None and answer.status == 200]
        chosen = Answer(200, answers[0].headers, merge(answers)) if answers else own
        await chosen.response()(scope, receive, send)


async def answer_of(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """The response of this process, collected."""
    status, headers, body = 500, Headers(), bytearray()

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message["headers"])
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(status, headers, bytes(body))
