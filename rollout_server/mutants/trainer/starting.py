"""Defects of the trainer as the one who starts rollouts."""

from collections.abc import Sequence
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import CALLBACK, SYNC, around, put
from rollout_conformance.rollout_server.mutants.trainer.planting import method, mutant
from rollout_conformance.rollout_server.trainer import rollout_starter
from rollout_conformance.rollout_server.trainer.http_client import Ask
from rollout_conformance.rollout_server.trainer.rollout_starter import Initiator
from rollout_conformance.rollout_server.trainer.session import Session
from rollout_conformance.rollout_server.trainer.start_request import Start

LONG_S = 86_400.0


async def _needs_no_tools(self: Initiator, server: str) -> Sequence[Any]:
    return []


async def _drops_tools(original: Any, self: Initiator, server: str) -> Sequence[Any]:
    await original(self, server)
    return []


_first: list[Any] = []


def _first_tools(original: Any, self: Session, tools: Sequence[Any]) -> None:
    """The tools of the first 202 serve for all rollouts."""
    _first.append(tools)
    original(self, _first[0])


def _no_tools(original: Any, self: Session, tools: Sequence[Any]) -> None:
    original(self, [])


async def _patient(original: Any, self: Initiator, session: Session, start: Start, timeout_s: float) -> None:
    await original(self, session, start, LONG_S)


async def _asks_once(self: Initiator, start: Start, timeout_s: float) -> Any:
    return await self.exchange(Ask("POST", start.url, start.body, self._key), timeout_s)


async def _asks_again(original: Any, self: Initiator, start: Start, timeout_s: float) -> Any:
    """Whatever went wrong may go well the next time."""
    for _ in range(3):
        answer = await original(self, start, timeout_s)
        if answer.status < 300:
            break
    return answer


def _all_is_well(original: Any, answer: Any, status: int, model: Any, rollout_id: str | None = None) -> Any:
    """A status that is no success is taken for one with nothing to say."""
    return (
        original(answer, status, model, rollout_id) if answer.status == status else {"tools": [], "status": "COMPLETED"}
    )


MUTANTS = (
    mutant(
        "asks_no_tools",
        "196",
        "the tools are not asked for",
        put(Initiator, "tools_of", _needs_no_tools),
        SYNC,
        ("*",),
    ),
    mutant(
        "drops_tools",
        "196",
        "the tools are asked for and not used",
        method(Initiator, "tools_of", _drops_tools),
        SYNC,
        ("*",),
    ),
    mutant(
        "first_tools",
        "197",
        "the tools of the first rollout serve for all",
        method(Session, "know", _first_tools),
        CALLBACK,
        ("200",),
    ),
    mutant(
        "no_tools", "197", "the tools of the 202 are not used", method(Session, "know", _no_tools), CALLBACK, ("187",)
    ),
    mutant("patient", "198", "a rollout may take a day", method(Initiator, "run", _patient)),
    mutant("gives_up", "199", "429 is the end", put(Initiator, "post", _asks_once)),
    mutant(
        "impatient", "199", "Retry-After is not waited for", put(rollout_starter, "pause", lambda retry_after: 0.01)
    ),
    mutant("insists", "199", "a start is sent again whatever the answer", method(Initiator, "post", _asks_again)),
    mutant("all_is_well", "199", "a refused start is a success", around(rollout_starter, "check", _all_is_well)),
)
