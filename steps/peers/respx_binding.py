"""The scripted trainer without a socket: respx routes every request to the same script core that the served one asks.

Nothing is patched: the router is given to code that takes an httpx transport. A broken connection becomes the exception that a
client of a real one would raise.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx
import respx

from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.peers.asgi_binding import STALL_S, body_of, dripped, failed
from rollout_conformance.steps.peers.trainer import Play, ScriptedTrainer


def transport(trainer: ScriptedTrainer) -> httpx.MockTransport:
    """A transport whose other end is the trainer, whatever host it is asked for."""
    router = respx.MockRouter(assert_all_called=False, using=None)

    async def answer(request: httpx.Request) -> httpx.Response:
        received = _request(request)
        try:
            return await perform(trainer.receive(received), request)
        except httpx.HTTPError:
            raise  # a connection that breaks on purpose
        except Exception as error:
            failed(trainer, received, error)
            raise

    router.route().mock(side_effect=answer)
    return httpx.MockTransport(router.async_handler)


def _request(request: httpx.Request) -> Request:
    headers = tuple((k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in request.headers.raw)
    return Request(request.method, request.url.raw_path.decode("latin-1"), headers, request.content)


async def perform(play: Play, request: httpx.Request) -> httpx.Response:
    """The response that the play asks for, or the exception of a broken connection."""
    if play.loss == "stall":
        play.failed()
    try:
        if play.hold is not None:
            await play.hold.wait()
        elif play.delay_s:
            await asyncio.sleep(play.delay_s)
        if play.loss == "stall":
            await asyncio.sleep(STALL_S)
    except asyncio.CancelledError:
        play.abandoned()
        raise
    if play.loss == "reset":
        play.failed()
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
    return httpx.Response(play.response.status, headers=list(play.response.headers), stream=_Body(play, request))


class _Body(httpx.AsyncByteStream):
    """The body of a play, in pieces when it drips, broken off when it is lost."""

    def __init__(self, play: Play, request: httpx.Request) -> None:
        self.play, self.request = play, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = body_of(self.play.response)
        if self.play.loss == "cut":
            yield body[: len(body) // 2]
            self.play.failed()
            raise httpx.ReadError("the connection was closed in the middle of the body", request=self.request)
        if self.play.drip:
            *pieces, body = dripped(body)
            for piece in pieces:
                yield piece
        self.play.delivered()
        yield body
