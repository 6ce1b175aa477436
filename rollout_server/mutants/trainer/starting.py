"""Defects of how the trainer starts rollouts."""

from collections.abc import Sequence
from typing import Any

from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, SYNC
from rollout_conformance.rollout_server.mutants.framework import TESTS, Mutant, around, put
from rollout_conformance.rollout_server.trainer import (
    endpoints,
    rollout_starter,
    start_request,
)
from rollout_conformance.rollout_server.trainer.http_client import OutgoingRequest
from rollout_conformance.rollout_server.trainer.rollout_starter import RolloutStarter
from rollout_conformance.rollout_server.trainer.service import Service
from rollout_conformance.rollout_server.trainer.session import Session
from rollout_conformance.rollout_server.trainer.start_request import StartPlan

LONG_S = 86_400.0


async def _needs_no_tools(self: RolloutStarter, server: str) -> Sequence[Any]:
    return []


async def _drops_tools(original: Any, self: RolloutStarter, server: str) -> Sequence[Any]:
    await original(self, server)
    return []


_first: list[Any] = []


def _first_tools(original: Any, self: Session, tools: Sequence[Any]) -> None:
    """The tools of the first 202 are used for all rollouts."""
    _first.append(tools)
    original(self, _first[0])


def _no_tools(original: Any, self: Session, tools: Sequence[Any]) -> None:
    original(self, [])


async def _patient(original: Any, self: RolloutStarter, session: Session, start: StartPlan, timeout_s: float) -> None:
    await original(self, session, start, LONG_S)


async def _asks_once(self: RolloutStarter, start: StartPlan, timeout_s: float) -> Any:
    return await self.exchange(OutgoingRequest("POST", start.url, start.body, self._key), timeout_s)


async def _asks_again(original: Any, self: RolloutStarter, start: StartPlan, timeout_s: float) -> Any:
    """Retries after every failure."""
    for _ in range(3):
        answer = await original(self, start, timeout_s)
        if answer.status < 300:
            break
    return answer


def _all_is_well(original: Any, answer: Any, status: int, model: Any, rollout_id: str | None = None) -> Any:
    """Any other status counts as a success with an empty body."""
    return (
        original(answer, status, model, rollout_id) if answer.status == status else {"tools": [], "status": "COMPLETED"}
    )


def _own_sampling(original: Any, raw: Any, *rest: Any) -> StartPlan:
    return original({**raw, "sampling_params": {"temperature": 1.0, "max_tokens": 512}}, *rest)  # type: ignore[no-any-return]


def _own_limits(original: Any, raw: Any, *rest: Any) -> StartPlan:
    return original({name: value for name, value in raw.items() if not name.startswith("max_")}, *rest)  # type: ignore[no-any-return]


async def _does_not_wait(self: Service, session: Session) -> None:
    """A request that arrives before the tools are known is answered without them."""
    session.tools = session.tools or ()


def _explains(original: Any, self: Session, status: Any, **members: Any) -> bool:
    if members.get("error_message"):
        members["error_message"] = (
            'Traceback (most recent call last):\n  File "/srv/trainer/starter.py", line 12, in run'
        )
    return original(self, status, **members)  # type: ignore[no-any-return]


MUTANTS = (
    Mutant(
        "trace_in_record",
        breaks="300",
        what="the error message of a record is a stack trace",
        patch=around(Session, "end", _explains),
    ),
    Mutant(
        "own_sampling",
        breaks="308",
        what="the start request has other sampling parameters than the control request",
        patch=around(start_request, "read", _own_sampling),
    ),
    Mutant(
        "own_limits",
        breaks="308",
        what="the start request has no limits",
        patch=around(start_request, "read", _own_limits),
    ),
    Mutant(
        "does_not_wait_for_tools",
        breaks="197",
        what="a generation request that arrives before the 202 is answered without tools",
        patch=put(Service, "_tools_known", _does_not_wait),
        dialects=CALLBACK,
    ),
    Mutant(
        "asks_no_tools",
        breaks="196",
        also=("*",),
        what="the tools are not requested",
        patch=put(RolloutStarter, "tools_of", _needs_no_tools),
        dialects=SYNC,
    ),
    Mutant(
        "drops_tools",
        breaks="196",
        also=("*",),
        what="the tools are requested and not used",
        patch=around(RolloutStarter, "tools_of", _drops_tools),
        dialects=SYNC,
    ),
    Mutant(
        "drops_tools_of_requests",
        breaks="183",
        also=("197", "200"),
        what="the tools of generation requests are dropped, where they have any (`rollouts: open`)",
        patch=put(endpoints, "tools_of", lambda body: []),
        by=TESTS,
    ),
    Mutant(
        "first_tools",
        breaks="197",
        also=("183", "200"),
        what="the tools of the first rollout serve for all",
        patch=around(Session, "set_tools", _first_tools),
        dialects=CALLBACK,
    ),
    Mutant(
        "no_tools",
        breaks="197",
        also=("187",),
        what="the tools of the 202 are not used",
        patch=around(Session, "set_tools", _no_tools),
        dialects=CALLBACK,
    ),
    Mutant("patient", breaks="198", what="the rollout timeout is a day", patch=around(RolloutStarter, "run", _patient)),
    Mutant("gives_up", breaks="199", what="429 ends the rollout", patch=put(RolloutStarter, "post", _asks_once)),
    Mutant(
        "impatient",
        breaks="199",
        what="Retry-After is ignored",
        patch=put(rollout_starter, "pause", lambda retry_after: 0.01),
    ),
    Mutant(
        "insists",
        breaks="199",
        what="a start is sent again after any failure",
        patch=around(RolloutStarter, "post", _asks_again),
    ),
    Mutant(
        "all_is_well",
        breaks="199",
        what="a rejected start counts as a success",
        patch=around(rollout_starter, "check", _all_is_well),
    ),
)
