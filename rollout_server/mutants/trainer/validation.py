"""Defects of the validation of requests."""

from collections.abc import Mapping
from typing import Any

from rollout_conformance.contracts.trainer import wire
from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.dialects import CALLBACK
from rollout_conformance.rollout_server.mutants.framework import FUZZING, Mutant, around, put
from rollout_conformance.rollout_server.trainer import (
    endpoints,
    start_request,
)


def _no_nulls(original: Any, model: Any, body: Mapping[str, Any]) -> None:
    messages = body.get("messages")
    parts = [body, *(messages if isinstance(messages, list) else [])]
    if model is wire.ChatRequest and any(None in part.values() for part in parts if isinstance(part, dict)):
        raise ApiError(422, "invalid_body", "null is no value")
    original(model, body)


def _knows_no_more(original: Any, model: Any, body: Mapping[str, Any]) -> None:
    if model is wire.ChatRequest and set(body) - set(wire.ChatRequest.model_fields):
        raise ApiError(422, "invalid_body", "an unknown member")
    original(model, body)


def _few_turns(original: Any, body: dict[str, Any], *rest: Any) -> Any:
    if isinstance(body.get("max_turns"), int | float) and body["max_turns"] > 50:
        raise ApiError(422, "invalid_body", "max_turns: too many", param="max_turns")
    return original(body, *rest)


async def _trips_over_lists(original: Any, request: Any) -> dict[str, Any]:
    try:
        return await original(request)  # type: ignore[no-any-return]
    except ApiError as error:
        raise RuntimeError("planted") from error


async def _health_ok(self: Any, request: Any) -> Any:
    return json_response({"status": "ok"})


MUTANTS = (
    Mutant(
        "refuses_nulls",
        breaks="178",
        also=("*",),
        what="a request with a null is rejected",
        patch=around(endpoints, "validate", _no_nulls),
    ),
    Mutant(
        "refuses_more",
        breaks="178",
        what="a request with an unknown member is rejected",
        patch=around(endpoints, "validate", _knows_no_more),
    ),
    Mutant(
        "health_ok",
        breaks="300",
        what="the status of health is ok",
        patch=put(endpoints.Health, "get", _health_ok),
        dialects=CALLBACK,
        by=FUZZING,
    ),
    Mutant(
        "few_turns",
        breaks="301",
        what="max_turns above 50 is rejected",
        patch=around(start_request, "read", _few_turns),
        dialects=CALLBACK,
        by=FUZZING,
    ),
    Mutant(
        "trips_over_lists",
        breaks="303",
        what="a body that is a list is a 500",
        patch=around(endpoints, "read", _trips_over_lists),
        dialects=CALLBACK,
        by=FUZZING,
    ),
)
