"""Defects of rollout ids and keys."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK
from rollout_conformance.rollout_server.mutants.framework import Mutant, Patch, around, every, put
from rollout_conformance.rollout_server.trainer import (
    endpoints,
    errors,
)
from rollout_conformance.rollout_server.trainer.session import Session
from rollout_conformance.rollout_server.trainer.session_store import SessionStore


def _find_or_open(original: Any, self: Any, rollout_id: str) -> Session:
    try:
        return original(self, rollout_id)  # type: ignore[no-any-return]
    except ApiError:
        session = Session(rollout_id, "callback", None, [])
        session.set_tools([])
        self.open(session)
        return session


def _any_session(original: Any, self: Any, rollout_id: str) -> Session:
    """The session that began last, with the key of the right one."""
    own: Session = original(self, rollout_id)
    if own.status != "running":
        return own
    latest: Session = [*self._running.values()][-1]
    latest.key = own.key
    return latest


def _kept_under(name: Callable[[str], str]) -> Patch:
    """Sessions are kept under a name that is made of the id."""

    def opened(original: Any, self: Any, session: Session) -> None:
        session.rollout_id = name(session.rollout_id)
        original(self, session)

    found = around(SessionStore, "find", lambda original, self, rollout_id: original(self, name(rollout_id)))
    return every(found, around(SessionStore, "open", opened))


def _unlocked(path: str) -> Any:
    def session_of(original: Any, request: Any, body: Mapping[str, Any]) -> Any:
        if not request.url.path.endswith(path) or not isinstance(body.get("rollout_id"), str):
            return original(request, body)
        return endpoints.service_of(request).sessions.find(body["rollout_id"])

    return around(endpoints, "session_of", session_of)


def _any_key(original: Any, request: Any, key: str | None) -> None:
    if "authorization" not in request.headers:
        original(request, key)


def _tells_key(original: Any, request: Any, key: str | None) -> None:
    try:
        original(request, key)
    except ApiError as error:
        raise ApiError(error.status, error.code, f"The key is {key}", headers=error.headers) from error


def _forbidden() -> ApiError:
    return ApiError(429, "forbidden", "No")


MUTANTS = (
    Mutant(
        "opens_for_anybody",
        breaks="184",
        also=("193",),
        what="an unknown id becomes a session",
        patch=around(SessionStore, "find", _find_or_open),
    ),
    Mutant(
        "unknown_is_busy",
        breaks="184",
        also=("193",),
        what="an unknown id is answered with 429, which makes clients retry",
        patch=put(errors, "unknown", lambda: ApiError(429, "unknown_rollout", "No")),
    ),
    Mutant(
        "one_session",
        breaks="184",
        also=("*",),
        what="all requests go to the rollout that began last",
        patch=around(SessionStore, "find", _any_session),
    ),
    Mutant(
        "ids_in_lower_case",
        breaks="184",
        what="ids that differ in the case of a letter are one session",
        patch=_kept_under(str.lower),
    ),
    Mutant(
        "ids_as_file_names",
        breaks="184",
        what="ids that differ in a sign are one session, because their signs are replaced",
        patch=_kept_under(lambda rollout_id: re.sub(r"[^\w.-]", "_", rollout_id)),
    ),
    Mutant(
        "ids_cut",
        breaks="184",
        what="ids that differ after 64 characters are one session",
        patch=_kept_under(lambda rollout_id: rollout_id[:64]),
    ),
    Mutant("no_key", breaks="194", what="a generation request needs no key", patch=_unlocked("/chat/completions")),
    Mutant(
        "no_key_for_results",
        breaks="194",
        what="a result needs no key",
        patch=_unlocked("/completed"),
        dialects=CALLBACK,
    ),
    Mutant(
        "key_in_records",
        breaks="194",
        what="the record has the key of the rollout",
        patch=around(Session, "record", lambda original, self: {**original(self), "api_key": self.key}),
    ),
    Mutant(
        "key_in_errors",
        breaks="300",
        what="the error for a wrong key quotes the right one",
        patch=around(endpoints, "check_key", _tells_key),
    ),
    Mutant("any_key", breaks="194", what="any key is accepted", patch=around(endpoints, "check_key", _any_key)),
    Mutant(
        "busy_without_key",
        breaks="194",
        what="a missing key is answered with 429, which makes clients retry",
        patch=put(errors, "unauthorized", _forbidden),
    ),
)
