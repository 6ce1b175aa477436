"""Defects that were reported of public routers; contracts/router/reports.yaml names the reports."""

from contextvars import ContextVar
from typing import Any

import aiohttp

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, every, put
from rollout_conformance.rollout_server.router import errors, failover
from rollout_conformance.rollout_server.router.backend_client import BackendClient, BackendError
from rollout_conformance.rollout_server.router.streaming import Stream

KEPT_S = 90  # longer than most backends keep a connection

reused: ContextVar[list[bool] | None] = ContextVar("reused", default=None)


async def _note(session: Any, context: Any, parameters: Any) -> None:
    noted = reused.get()
    if noted is not None:
        noted.append(True)


def _session(self: BackendClient) -> aiohttp.ClientSession:
    if self._session is None:
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._connect,
            trace_configs=[trace],
        )
    return self._session


async def _once_on_a_kept_connection(original: Any, lifecycle: Any, choice: Any, body: bytes, streams: bool) -> Any:
    noted: list[bool] = []
    reused.set(noted)
    try:
        return await original(lifecycle, choice, body, streams)
    except BackendError as error:
        if noted and error.failure == "connect":
            raise errors.all_backends_failed(["connect"]) from None
        raise


async def _streams_once(original: Any, lifecycle: Any, found: Any, body: Any, streams: bool) -> Any:
    return await original(lifecycle, found[:1] if streams else found, body, streams)


async def _with_old_tail(original: Any, lifecycle: Any, choice: Any, body: bytes, streams: bool) -> Any:
    """The changed body is written over the one that was received, which was longer."""
    rest = lifecycle.inference.raw[len(body) :] if streams else b""
    return await original(lifecycle, choice, body + rest, streams)


async def _of_old_length(original: Any, lifecycle: Any, choice: Any, body: bytes, streams: bool) -> Any:
    """The changed body is sent with the Content-Length of the one that was received."""
    return await original(lifecycle, choice, body[: len(lifecycle.inference.raw)], streams)


def _as_data(original: Any, self: Stream, event: bytes) -> bytes | None:
    passed: bytes | None = original(self, event)
    return b"data: " + passed if passed and passed.startswith(b":") else passed


MUTANTS = (
    Mutant(
        "kept_connections_not_retried",
        breaks="003",
        also=("035", "047", "070"),
        what="a request on a kept connection that the backend has closed fails",
        patch=every(put(BackendClient, "session", _session), around(failover, "open_one", _once_on_a_kept_connection)),
    ),
    Mutant(
        "streams_not_failed_over",
        breaks="003",
        also=("072",),
        what="a request for a stream is sent to one backend only",
        patch=around(failover, "open_first", _streams_once),
    ),
    Mutant(
        "tail_of_the_old_body",
        breaks="001",
        also=("*",),
        what="a body that has become shorter ends with the rest of the one that was received",
        patch=around(failover, "open_one", _with_old_tail),
    ),
    Mutant(
        "length_of_the_old_body",
        breaks="001",
        also=("*",),
        what="a body that has become longer is cut to the length of the one that was received",
        patch=around(failover, "open_one", _of_old_length),
    ),
    Mutant(
        "comments_as_data",
        breaks="066",
        what="comments of a backend are forwarded as data",
        patch=around(Stream, "_visible_part", _as_data),
    ),
)
