"""Defects that written cases need not find: they show in generated requests, or in some order of calls."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import EXPLORATION, FUZZING, Mutant, after, around
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.mutants.training.endpoint_patches import around_handler
from rollout_conformance.rollout_server.mutants.training.signal_runs import SIGNAL
from rollout_conformance.rollout_server.training import (
    app,
    request_input,
    signal_endpoints,
    signal_works,
    tinker_sessions,
    works,
)
from rollout_conformance.rollout_server.training.base_model import SEEDS
from rollout_conformance.rollout_server.training.errors import UserError


async def _lengths_as_text(original: Any, self: Any, request: Request) -> Response:
    request_input.api_key_caller(request)
    models = [{"model_name": name, "max_context_length": "4096"} for name in SEEDS]
    return json_response({"supported_models": models})


def _step_as_text(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "current_step": str(row["current_step"])}


def _no_object_500(original: Any, request: Request, error: UserError) -> Response:
    if "JSON object" in error.message:
        raise TypeError("'list' object has no attribute 'get'")
    response: Response = original(request, error)
    return response


def _sample_clears(original: Any, self: signal_works.Sample | works.SaveForSampler, context: Any) -> Any:
    run = original(self, context)

    def sampled(state: Any) -> Any:
        done = run(state)
        return replace(done, state=None if done.state is None else done.state.without_gradients())

    return sampled


MUTANTS = (
    Mutant(
        "lengths_as_text", breaks="300", also=("103",), what="max_context_length is a text",
        patch=around_handler(tinker_sessions.Capabilities, "get", _lengths_as_text), dialects=TINKER, by=FUZZING,
    ),
    Mutant(
        "step_as_text", breaks="300", also=("*",), what="current_step is a text",
        patch=after(signal_endpoints, "described", _step_as_text), dialects=SIGNAL, by=FUZZING,
    ),
    Mutant(
        "body_of_another_type_500", breaks="303", also=("032", "302"), what="a body that is no object is a server error",
        patch=around(app, "on_user_error", _no_object_500), by=FUZZING,
    ),
    Mutant(
        "snapshot_discards_gradients", breaks="304", what="a snapshot between forward_backward and the step discards the gradients",
        patch=around(works.SaveForSampler, "prepare", _sample_clears), dialects=TINKER, by=EXPLORATION,
    ),
    Mutant(
        "sample_discards_gradients", breaks="304", also=("001",), what="a sample between forward_backward and the step discards the gradients",
        patch=around(signal_works.Sample, "prepare", _sample_clears), dialects=SIGNAL, by=EXPLORATION,
    ),
)  # fmt: skip
