"""Defects of what is kept: the session, the trajectory, the terminal result, the keys."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.contracts.trainer import wire
from rollout_conformance.rollout_server.mutants.framework import CALLBACK, around, put
from rollout_conformance.rollout_server.mutants.trainer.planting import every, method, mutant
from rollout_conformance.rollout_server.trainer import (
    backend,
    endpoints,
    errors,
    history,
    prompt,
    rollout_starter,
    session,
)
from rollout_conformance.rollout_server.trainer.backend import BuiltIn
from rollout_conformance.rollout_server.trainer.errors import RefusedError
from rollout_conformance.rollout_server.trainer.service import Service
from rollout_conformance.rollout_server.trainer.session import Session
from rollout_conformance.rollout_server.trainer.trajectory import Trajectory, Turn


def _no_history(stored: Any, messages: Any, *, turns: int) -> None:
    """Anything goes."""


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
    except RefusedError:
        self.messages = [*messages]
        raise


def _only_the_first(stored: Any, messages: Any, *, turns: int) -> None:
    """What the assistant said is not compared."""
    mine = [m for m in stored if m.get("role") != "assistant"]
    _check([m for m in messages if m.get("role") != "assistant"][: len(mine)], mine)


def _check(messages: Any, mine: Any) -> None:
    if [history.normal(m) for m in messages] != [history.normal(m) for m in mine]:
        raise errors.history(0, "is another one")


def _grown(change: Any) -> Any:
    return around(session, "grown", change)


def _masks_tools(original: Any, before: Trajectory, turn: Turn, text: str, spliced: Any) -> Trajectory:
    """From the second turn on, what was inserted counts as sampled."""
    after: Trajectory = original(before, turn, text, spliced)
    if not before.turns:
        return after
    return replace(after, response_mask=before.response_mask + (1,) * (len(after.token_ids) - len(before.token_ids)))


def _shifted(original: Any, before: Trajectory, turn: Turn, text: str, spliced: Any) -> Trajectory:
    after: Trajectory = original(before, turn, text, spliced)
    mine = after.response_mask[len(before.response_mask) :]
    return replace(after, response_mask=before.response_mask + mine[1:] + mine[:1])


def _odd_ids(tokens: Any, text: str) -> list[int]:
    """The first word of the sampled text letter by letter: same text, other ids."""
    word = text[: text.find(" ") + 1]
    return [id for letter in word for id in tokens.encode(letter)] + list(tokens.encode(text[len(word) :]))


async def _samples_oddly(original: Any, self: Any, task: Any) -> Any:
    made = await original(self, task)
    ids = tuple(_odd_ids(self._tokens, made.text))
    logprobs = tuple(backend.logprob(task.turn, n, token) for n, token in enumerate(ids))
    return replace(made, token_ids=ids, logprobs=logprobs)


def _encodes_again(original: Any, tokens: Any, past: Any, known: Any, messages: Any, tools: Any) -> Any:
    built = original(tokens, past, known, messages, tools)
    return replace(built, token_ids=tuple(tokens.encode(built.text)))


def _hides_drift(original: Any, *arguments: Any) -> Trajectory:
    grown: Trajectory = original(*arguments)
    return replace(grown, drift=None)


def _counts_again(original: Any, self: Session, digest: bytes) -> Any:
    stored = original(self, digest)
    if stored is not None:
        past, turn = self.trajectory, self.trajectory.turns[-1]
        self.trajectory = replace(past, turns=(*past.turns, turn))
    return stored


def _joins_nobody(self: Session, digest: bytes) -> None:
    if self.open is not None:
        raise errors.busy()


_counter = itertools.count(1)


def _numbered(original: Any, self: Service, ended: Session, result: Any) -> dict[str, Any]:
    return {**original(self, ended, result), "received": next(_counter)}


def _once(original: Any, self: Service, ended: Session, result: Any) -> Any:
    if ended.status != "running":
        raise errors.ended()
    return original(self, ended, result)


def _the_last_stays(original: Any, ended: Session, result: Any) -> Any:
    ended.status = "running"
    return original(ended, result)


def _success_wins(original: Any, ended: Session, result: Any) -> Any:
    if ended.status == "ERROR" and result["status"] == "COMPLETED":
        ended.status = "running"
    return original(ended, result)


def _any_status(original: Any, model: Any, body: Mapping[str, Any]) -> None:
    original(model, {**body, "status": "ERROR"} if model is wire.Completed else body)


def _unknown_is_fine(original: Any, request: Any, body: Mapping[str, Any]) -> Any:
    try:
        return original(request, body)
    except RefusedError as error:
        if error.status != 404 or not request.url.path.endswith("/completed"):
            raise
        return Session(str(body["rollout_id"]), "callback", "", [])


def _unlocked(path: str) -> Any:
    def routed(original: Any, request: Any, body: Mapping[str, Any]) -> Any:
        if not request.url.path.endswith(path) or not isinstance(body.get("rollout_id"), str):
            return original(request, body)
        return endpoints.service_of(request).book.find(body["rollout_id"])

    return around(endpoints, "routed", routed)


def _any_key(original: Any, request: Any, key: str | None) -> None:
    if "authorization" not in request.headers:
        original(request, key)


def _forbidden() -> RefusedError:
    return RefusedError(429, "forbidden", "No")


MUTANTS = (
    mutant(
        "any_history", "187", "any history is answered", put(history, "check", _no_history), companions=("188", "189")
    ),
    mutant("reads_arguments", "187", "arguments are compared as values", around(history, "normal", _reads_arguments)),
    mutant(
        "skips_replies",
        "187",
        "its own replies are not compared",
        put(history, "check", _only_the_first),
        companions=("188", "189"),
    ),
    mutant("remembers_the_refused", "187", "a refused history is kept", method(Session, "check_history", _remembers)),
    mutant("trains_on_tools", "188", "tool results count as sampled", _grown(_masks_tools)),
    mutant("shifted_mask", "188", "the mask is one token early", _grown(_shifted)),
    mutant(
        "encodes_again",
        "189",
        "what was sampled is encoded anew",
        every(
            method(BuiltIn, "generate", _samples_oddly), around(prompt, "build", _encodes_again), _grown(_hides_drift)
        ),
        companions=("183", "185", "188"),
    ),
    mutant("no_retries", "190", "a retry is refused", put(Session, "repeated", lambda self, digest: None)),
    mutant(
        "counts_retries",
        "190",
        "a retry is one turn more",
        method(Session, "repeated", _counts_again),
        companions=("189",),
    ),
    mutant("joins_nobody", "190", "a retry of an open call is refused", put(Session, "joined", _joins_nobody)),
    mutant(
        "numbered_acks", "191", "every acknowledgement is another", method(Service, "complete", _numbered), CALLBACK
    ),
    mutant("reports_once", "191", "a repeated completion is refused", method(Service, "complete", _once), CALLBACK),
    mutant("last_result", "192", "the last result stays", around(rollout_starter, "finish", _the_last_stays), CALLBACK),
    mutant(
        "success_wins",
        "192",
        "a success replaces a failure",
        around(rollout_starter, "finish", _success_wins),
        CALLBACK,
    ),
    mutant("any_status", "193", "a status may be any", around(endpoints, "validate", _any_status), CALLBACK),
    mutant(
        "thanks_anybody", "193", "a result of nobody is fine", around(endpoints, "routed", _unknown_is_fine), CALLBACK
    ),
    mutant("no_key", "194", "a generation needs no key", _unlocked("/chat/completions")),
    mutant("no_key_for_results", "194", "a result needs no key", _unlocked("/completed"), CALLBACK),
    mutant("any_key", "194", "any key will do", around(endpoints, "check_key", _any_key)),
    mutant(
        "busy_without_key",
        "194",
        "a missing key is answered 429, which asks for the call again",
        put(errors, "unauthorized", _forbidden),
    ),
    mutant("never_ends", "195", "a rollout that has ended goes on", put(Session, "check_running", lambda self: None)),
)
