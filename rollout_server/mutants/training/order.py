"""Defects of order, repetition, futures and sessions of the dialect `tinker-json`."""

import json
import time
import uuid
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, every, put
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.mutants.training.endpoint_patches import around_handler
from rollout_conformance.rollout_server.training import errors, tinker_endpoints, tinker_works, works
from rollout_conformance.rollout_server.training.command_log import CommandLog
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.lane import Lane
from rollout_conformance.rollout_server.training.model_state import ModelState
from rollout_conformance.rollout_server.training.model_store import ModelStore
from rollout_conformance.rollout_server.training.service import Service


def _by_arrival(original: Any, self: Lane, request_id: str, seq: int | None) -> None:
    original(self, request_id, None)


def _never(original: Any, self: Lane) -> float | None:
    self.waited = 0.0
    delay: float | None = original(self)
    return delay


def _no_memory(original: Any, self: CommandLog, command: Any) -> str | None:
    """The same request again is another one; another under the same number is still refused."""
    original(self, command)
    return None


def _short_memory(original: Any, self: CommandLog, command: Any) -> Any:
    """Only the latest number of a model is known: what is repeated after another call runs again."""
    known = original(self, command)
    if known is None or command.seq is None:
        return known
    latest = self._database.one("SELECT max(seq) AS seq FROM commands WHERE lane = ?", command.lane)
    if latest is None or latest["seq"] == command.seq:
        return known
    self._database.run("UPDATE commands SET number = NULL WHERE id = ?", known)
    return None


def _equal_calls_are_one() -> Any:
    """A call of forward_backward is known by its content: the same data under another number are not added again."""
    known: dict[str, str] = {}

    def submit(original: Any, app_state: Any, caller: Any, kind: str, body: dict[str, Any], given: Any) -> str:
        if kind != "forward_backward":
            known.clear()
            return str(original(app_state, caller, kind, body, given))
        content = json.dumps({name: value for name, value in body.items() if name != "seq_id"}, sort_keys=True)
        if content in known:
            tinker_endpoints.spend(app_state, caller, body)
        else:
            known[content] = original(app_state, caller, kind, body, given)
        return known[content]

    return submit


def _no_memory_of(kind: str) -> Any:
    def earlier(original: Any, self: CommandLog, command: Any) -> str | None:
        known: str | None = original(self, command)
        return None if command.kind == kind else known

    return earlier


def _another_id(original: Any, session: str, number: int) -> str:
    return f"{original(session, number)}-{uuid.uuid4().hex[:6]}"


def _unnumbered(original: Any, self: CommandLog, command: Any) -> str:
    taken = self._database.one("SELECT id FROM commands WHERE lane = ? AND number = ?", command.lane, command.number)
    made: str = original(self, replace(command, number=None) if taken else command)
    return made


def _any_seq(self: Lane, seq: int) -> bool:
    return True


def _no_conflict(original: Any, self: CommandLog, command: Any) -> str | None:
    try:
        known: str | None = original(self, command)
    except UserError:
        row = self._database.one("SELECT id FROM commands WHERE lane = ? AND number = ?", command.lane, command.number)
        return str(row["id"]) if row else None
    return known


def _conflict_runs(original: Any, self: CommandLog, command: Any) -> str | None:
    try:
        known: str | None = original(self, command)
    except UserError:
        return None
    return known


def _once(original: Any, self: CommandLog, user: str, request_id: str) -> Any:
    row = original(self, user, request_id)
    if row["status"] != "pending":
        self._database.run("UPDATE commands SET user = '' WHERE id = ?", request_id)
    return row


async def _at_once(original: Any, self: Service, user: str, request_id: str, wait_s: float) -> Any:
    return await original(self, user, request_id, 0.0)


async def _pending_is_empty(original: Any, self: Any, request: Any) -> Response:
    response: Response = await original(self, request)
    return json_response({}) if response.status_code == 408 else response


async def _stamped(original: Any, self: Any, request: Any) -> Response:
    response: Response = await original(self, request)
    if response.status_code != 200:
        return response
    result = json.loads(bytes(response.body))
    if "metrics" in result:
        result["metrics"]["served_at:last"] = float(time.time_ns())
    return json_response(result)


async def _unknown_is_pending(original: Any, self: Any, request: Any) -> Response:
    try:
        response: Response = await original(self, request)
    except UserError as error:
        if error.status != 404:
            raise
        return json_response({"type": "try_again", "request_id": "x", "queue_state": "active"}, 408)
    return response


def _never_ends(original: Any, self: ModelStore, user: str, session: str) -> None:
    try:
        original(self, user, session)
    except UserError as error:
        if error.status != 410:
            raise


def _dies_young(original: Any, self: ModelStore, user: str, session: str) -> None:
    """A session lives until its second heartbeat or request after one second."""
    row = self.session(user, session)
    if time.time() - row["created_at"] > 0.5 and row["last_seen"] > row["created_at"]:
        raise errors.gone("The session has ended")
    original(self, user, session)


def _one_seed(original: Any, shape: Any, seed: int | None) -> ModelState:
    state: ModelState = original(shape, 7)
    return state


def _no_seed(original: Any, shape: Any, seed: int | None) -> ModelState:
    state: ModelState = original(shape, None)
    return state


def _wedged(original: Any, app_state: Any, caller: Any, body: Any) -> None:
    """A refused request leaves its model waiting for ever for the number."""
    model = body.get("model_id")
    if isinstance(model, str):
        app_state.service.lane(model).wait_s = 3600.0


MUTANTS = (
    Mutant(
        "by_arrival", breaks="003", what="requests run in the order of arrival", patch=around(Lane, "add", _by_arrival),
        dialects=TINKER,
    ),
    Mutant(
        "waits_for_ever", breaks="003", also=("032",), what="a missing number holds back those after it for ever",
        patch=around(Lane, "delay", _never), dialects=TINKER,
    ),
    Mutant(
        "runs_twice", breaks="004", what="a repeated request runs again",
        patch=every(
            around(CommandLog, "earlier", _no_memory), around(CommandLog, "add", _unnumbered), put(Lane, "accepts", _any_seq)
        ),
        dialects=TINKER,
    ),
    Mutant(
        "equal_calls_are_one", breaks="014", what="forward_backward with the data of the call before it is taken for its repetition",
        patch=around(tinker_endpoints, "submit", _equal_calls_are_one()), dialects=TINKER,
    ),
    Mutant(
        "short_memory", breaks="004", also=("005", "304"), what="a call that is repeated after another one runs again",
        patch=every(around(CommandLog, "earlier", _short_memory), put(Lane, "accepts", _any_seq)), dialects=TINKER,
    ),
    Mutant(
        "model_made_twice", breaks="040", what="a create_model that is posted again makes a second model",
        patch=every(around(CommandLog, "earlier", _no_memory_of("create_model")), around(CommandLog, "add", _unnumbered)), dialects=TINKER,
    ),
    Mutant(
        "sample_drawn_twice", breaks="040", what="a sample that is posted again is drawn again",
        patch=every(around(CommandLog, "earlier", _no_memory_of("asample")), around(CommandLog, "add", _unnumbered)), dialects=TINKER,
    ),
    Mutant(
        "sampling_session_opened_twice", breaks="040", what="a sampling session that is posted again has another id",
        patch=around(tinker_works, "sampler_id", _another_id), dialects=TINKER,
    ),
    Mutant(
        "conflict_is_the_first", breaks="005", also=("012",), what="another request under a used number gets the result of the first",
        patch=around(CommandLog, "earlier", _no_conflict), dialects=TINKER,
    ),
    Mutant(
        "conflict_runs", breaks="005", what="another request under a used number runs",
        patch=every(
            around(CommandLog, "earlier", _conflict_runs), around(CommandLog, "add", _unnumbered), put(Lane, "accepts", _any_seq)
        ),
        dialects=TINKER,
    ),
    Mutant(
        "future_read_once", breaks="027", also=("004",), what="a result can be read once",
        patch=around(CommandLog, "find", _once), dialects=TINKER,
    ),
    Mutant(
        "pending_is_empty", breaks="027", also=("*",), what="a pending future is an empty success",
        patch=every(
            around(Service, "result", _at_once), around_handler(tinker_endpoints.RetrieveFuture, "post", _pending_is_empty)
        ),
        dialects=TINKER,
    ),
    Mutant(
        "future_changes", breaks="027", what="a result read again has other metrics",
        patch=around_handler(tinker_endpoints.RetrieveFuture, "post", _stamped), dialects=TINKER,
    ),
    Mutant(
        "unknown_future_pending", breaks="027", also=("028",), what="an unknown future is pending for ever",
        patch=around_handler(tinker_endpoints.RetrieveFuture, "post", _unknown_is_pending), dialects=TINKER,
    ),
    Mutant(
        "ended_session_lives", breaks="036", what="a session that has ended takes heartbeats",
        patch=around(ModelStore, "touch", _never_ends), dialects=TINKER,
    ),
    Mutant(
        "sessions_die_young", breaks="036", also=("*",), what="a session ends in spite of its heartbeats",
        patch=around(ModelStore, "touch", _dies_young), dialects=TINKER,
    ),
    Mutant(
        "seed_is_fixed", breaks="038", what="every adapter has the same start", patch=around(works, "new_state", _one_seed),
        dialects=TINKER,
    ),
    Mutant(
        "seed_ignored", breaks="038", also=("*",), what="the seed of an adapter is ignored",
        patch=around(works, "new_state", _no_seed), dialects=TINKER,
    ),
    Mutant(
        "refusal_wedges", breaks="032", also=("033", "304"), what="after a refused request the model waits for its number for ever",
        patch=around(tinker_endpoints, "spend", _wedged), dialects=TINKER,
    ),
)  # fmt: skip
