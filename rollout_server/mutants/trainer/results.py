"""Defects of terminal results."""

import itertools
from collections.abc import Mapping
from typing import Any

from rollout_conformance.contracts.trainer import wire
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK
from rollout_conformance.rollout_server.mutants.framework import Mutant, around
from rollout_conformance.rollout_server.trainer import (
    endpoints,
    errors,
    rollout_starter,
)
from rollout_conformance.rollout_server.trainer.service import Service
from rollout_conformance.rollout_server.trainer.session import Session

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
    except ApiError as error:
        if error.status != 404 or not request.url.path.endswith("/completed"):
            raise
        return Session(str(body["rollout_id"]), "callback", "", [])


def _graded(original: Any, ended: Session, result: Any) -> Any:
    return original(ended, {**result, "reward": result.get("reward") or 0.0})


def _without_extras(original: Any, ended: Session, result: Any) -> Any:
    return original(ended, {name: value for name, value in result.items() if name != "extra_fields"})


def _late(original: Any, ended: Session, result: Any) -> Any:
    if ended.status == "TIMEOUT":
        ended.status = "running"
    return original(ended, result)


MUTANTS = (
    Mutant(
        "missing_reward_is_zero",
        breaks="307",
        what="a result without a reward is recorded with the reward 0.0",
        patch=around(rollout_starter, "finish", _graded),
    ),
    Mutant(
        "no_extra_fields",
        breaks="307",
        what="the result is recorded without its extra_fields",
        patch=around(rollout_starter, "finish", _without_extras),
    ),
    Mutant(
        "late_result",
        breaks="192",
        what="a result that arrives after the timeout replaces it",
        patch=around(rollout_starter, "finish", _late),
        dialects=CALLBACK,
    ),
    Mutant(
        "numbered_acks",
        breaks="191",
        what="each acknowledgement is different",
        patch=around(Service, "complete", _numbered),
        dialects=CALLBACK,
    ),
    Mutant(
        "reports_once",
        breaks="191",
        what="a repeated completion is rejected",
        patch=around(Service, "complete", _once),
        dialects=CALLBACK,
    ),
    Mutant(
        "last_result",
        breaks="192",
        what="the last result is kept",
        patch=around(rollout_starter, "finish", _the_last_stays),
        dialects=CALLBACK,
    ),
    Mutant(
        "success_wins",
        breaks="192",
        what="a success replaces a failure",
        patch=around(rollout_starter, "finish", _success_wins),
        dialects=CALLBACK,
    ),
    Mutant(
        "any_status",
        breaks="193",
        what="a status may be any",
        patch=around(endpoints, "validate", _any_status),
        dialects=CALLBACK,
    ),
    Mutant(
        "thanks_anybody",
        breaks="193",
        what="a result for an unknown id is accepted",
        patch=around(endpoints, "session_of", _unknown_is_fine),
        dialects=CALLBACK,
    ),
)
