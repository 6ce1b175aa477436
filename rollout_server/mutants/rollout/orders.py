"""Defects that only a certain order of events shows: each of them needs three or more in a row."""

import json
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import CALLBACK, Mutant, around, put
from rollout_conformance.rollout_server.rollout import agent, delivery, rollout_state, trainer_client
from rollout_conformance.rollout_server.rollout.idempotency import Registry
from rollout_conformance.rollout_server.rollout.rollout_state import Rollout
from rollout_conformance.rollout_server.rollout.service import Service
from rollout_conformance.rollout_server.rollout.trainer_client import TrainerClient

_running: dict[str, Rollout] = {}
_again: set[str] = set()


def _known_while_it_runs(original: Any, start: Any) -> Rollout:
    state: Rollout = original(start)
    _running[start.rollout_id] = state
    return state


def _blind_after_two_turns(self: Any, asked: Any) -> Any:
    state, record = _running.get(asked.rollout_id), self._by_id.get(asked.rollout_id)
    if record is not None and record.finished is None and state is not None and state.tally.llm_calls == 2:
        return None
    return record


def _forgets_after_two_turns() -> None:
    around(rollout_state, "begin", _known_while_it_runs)()
    put(Registry, "with_id", _blind_after_two_turns)()


_posted: set[str] = set()


def _noted(self: Any, asked: Any) -> Any:
    if asked.rollout_id in _posted:
        _again.add(asked.rollout_id)
    return self._by_id.get(asked.rollout_id)


def _changes_its_mind() -> None:
    """A result that was posted and not heard becomes another one when the same start comes again meanwhile."""
    original = TrainerClient.attempt

    async def attempt(self: Any, url: str, body: bytes, headers: Any, timeout_s: float) -> Any:
        if url.endswith("/v1/rollout/completed"):
            result = json.loads(body)
            if result["rollout_id"] in _again and result["status"] == "COMPLETED":
                body = json.dumps({**result, "extra_fields": {"reported_again": True}}).encode()
            _posted.add(result["rollout_id"])
        return await original(self, url, body, headers, timeout_s)

    put(TrainerClient, "attempt", attempt)()
    put(Registry, "with_id", _noted)()


def _forgets_what_was_asked_again() -> None:
    """A rollout whose start came once more is not told of when the server ends."""
    again: set[str] = set()
    ending: list[bool] = []

    def noted(self: Any, asked: Any) -> Any:
        record = self._by_id.get(asked.rollout_id)
        if record is not None:
            again.add(asked.rollout_id)
        return record

    def begun(original: Any, self: Any) -> None:
        ending.append(True)
        original(self)

    async def deliver(original: Any, start: Any, result: Any, kit: Any) -> bool:
        return False if ending and start.rollout_id in again else bool(await original(start, result, kit))

    put(Registry, "with_id", noted)()
    around(Service, "begin_to_stop", begun)()
    around(delivery, "deliver", deliver)()


def _stops_after_a_retry() -> None:
    """A rollout that met a fault and used up its turns says that it came to a natural end."""

    async def run(original: Any, state: Any, kit: Any) -> str:
        seen: list[int] = []

        def noting(inner: Any, headers: Any, attempt: int) -> Any:
            seen.append(attempt)
            return inner(headers, attempt)

        around(trainer_client, "attempt_headers", noting)()
        reason = str(await original(state, kit))
        return "stop" if reason == "max_turns" and max(seen, default=1) > 1 else reason

    around(agent, "run", run)()


MUTANTS = (
    Mutant(
        "forgets_after_two",
        "148",
        "a start repeated after two turns runs again",
        _forgets_after_two_turns,
        CALLBACK,
        ("136", "137", "140"),
        "exploration",
    ),
    Mutant(
        "changes_its_mind",
        "137",
        "a start repeated before the ack changes the result",
        _changes_its_mind,
        CALLBACK,
        (),
        "exploration",
    ),
    Mutant(
        "forgets_at_the_end",
        "144",
        "a start that was repeated is forgotten at shutdown",
        _forgets_what_was_asked_again,
        CALLBACK,
        (),
        "exploration",
    ),
    Mutant(
        "stops_after_a_retry", "113", "turns used up after a retry look like an end", _stops_after_a_retry, CALLBACK
    ),
)
