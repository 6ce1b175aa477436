"""Defects of the history of a session, its retries and its end."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.trainer import (
    endpoints,
    errors,
    history,
)
from rollout_conformance.rollout_server.trainer.session import OpenGeneration, Session
from rollout_conformance.rollout_server.trainer.session_store import SessionStore


def _no_history(stored: Any, messages: Any, *, turns: int) -> None:
    """Every history is accepted."""


def _reads_arguments(original: Any, message: Mapping[str, Any]) -> bytes:
    """Arguments are compared as values."""
    return original({**message, "tool_calls": [_read(call) for call in message.get("tool_calls") or ()]})  # type: ignore[no-any-return]


def _read(call: Mapping[str, Any]) -> dict[str, Any]:
    arguments = call["function"]["arguments"]
    value = json.loads(arguments) if isinstance(arguments, str) else arguments
    return {**call, "function": {**call["function"], "arguments": value}}


def _remembers(original: Any, self: Session, messages: Any) -> None:
    try:
        original(self, messages)
    except ApiError:
        self.messages = [*messages]
        raise


def _only_the_first(stored: Any, messages: Any, *, turns: int) -> None:
    """Assistant messages are not compared."""
    mine = [m for m in stored if m.get("role") != "assistant"]
    _check([m for m in messages if m.get("role") != "assistant"][: len(mine)], mine)


def _check(messages: Any, mine: Any) -> None:
    if [history.normalized(m) for m in messages] != [history.normalized(m) for m in mine]:
        raise errors.history(0, "is another one")


def _counts_again(original: Any, self: Session, digest: bytes) -> Any:
    stored = original(self, digest)
    if stored is not None:
        past, turn = self.trajectory, self.trajectory.turns[-1]
        self.trajectory = replace(past, turns=(*past.turns, turn))
    return stored


async def _stuck(self: Any, request: Any) -> Any:
    body = await endpoints.read(request)
    session = endpoints.session_of(request, body)
    await asyncio.sleep(0.15)
    if await request.is_disconnected():
        nothing: asyncio.Task[Any] = asyncio.ensure_future(asyncio.sleep(3600))
        session.open = OpenGeneration(b"", nothing)
    return json_response(await endpoints.service_of(request).answer(session, body))


def _replaces(original: Any, self: SessionStore, session: Session) -> None:
    self._running.pop(session.rollout_id, None)
    self._ended.pop(session.rollout_id, None)
    original(self, session)


def _joins_nobody(self: Session, digest: bytes) -> None:
    if self.open is not None:
        raise errors.busy()


def _undoes(original: Any, request: Any, body: Mapping[str, Any]) -> Session:
    """A request without messages undoes the last turn before it is validated."""
    session: Session = original(request, body)
    if not body.get("messages", True):
        session.trajectory = replace(session.trajectory, turns=session.trajectory.turns[:-1])
    return session


def _unless_late(original: Any, self: Session) -> None:
    if self.status != "TIMEOUT":
        original(self)


MUTANTS = (
    Mutant(
        "any_history",
        breaks="187",
        also=("188", "189"),
        what="any history is accepted",
        patch=put(history, "check", _no_history),
    ),
    Mutant(
        "reads_arguments",
        breaks="187",
        what="arguments are compared as values",
        patch=around(history, "normalized", _reads_arguments),
    ),
    Mutant(
        "skips_replies",
        breaks="187",
        also=("188", "189"),
        what="the trainer's own replies are not compared",
        patch=put(history, "check", _only_the_first),
    ),
    Mutant(
        "remembers_the_refused",
        breaks="187",
        what="a rejected history is stored",
        patch=around(Session, "check_history", _remembers),
    ),
    Mutant(
        "undoes_a_turn",
        breaks="187",
        also=("188", "189"),
        what="an invalid request undoes the last turn",
        patch=around(endpoints, "session_of", _undoes),
    ),
    Mutant(
        "no_retries",
        breaks="190",
        what="a retry is rejected",
        patch=put(Session, "stored_reply", lambda self, digest: None),
    ),
    Mutant(
        "counts_retries",
        breaks="190",
        also=("189",),
        what="a retry counts as another turn",
        patch=around(Session, "stored_reply", _counts_again),
    ),
    Mutant(
        "stuck_after_disconnect",
        breaks="190",
        also=("186", "187", "302"),
        what="a request whose connection was closed leaves its rollout busy",
        patch=put(endpoints.ChatCompletions, "post", _stuck),
    ),
    Mutant(
        "replaces_rollouts",
        breaks="309",
        what="a rollout with the id of an earlier one replaces it",
        patch=around(SessionStore, "open", _replaces),
    ),
    Mutant(
        "joins_nobody",
        breaks="190",
        what="a retry of an open request is rejected",
        patch=put(Session, "open_reply", _joins_nobody),
    ),
    Mutant(
        "goes_on_after_timeout",
        breaks="195",
        what="a rollout still generates after its timeout",
        patch=around(Session, "check_running", _unless_late),
    ),
    Mutant(
        "never_ends",
        breaks="195",
        what="an ended rollout still generates",
        patch=put(Session, "check_running", lambda self: None),
    ),
)
