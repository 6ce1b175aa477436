"""Defects of the state of runs, of their results and futures, and of limits, in the dialect `signal`."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rollout_conformance.rollout_server.common.responses import json_response
from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, every, put
from rollout_conformance.rollout_server.mutants.training.endpoint_patches import around_handler
from rollout_conformance.rollout_server.mutants.training.signal_runs import SIGNAL
from rollout_conformance.rollout_server.training import (
    app,
    request_input,
    signal_batch,
    signal_endpoints,
    signal_step,
    signal_text,
    works,
)
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.key_store import Caller
from rollout_conformance.rollout_server.training.model_state import ModelState
from rollout_conformance.rollout_server.training.model_store import ModelStore, about_of
from rollout_conformance.rollout_server.training.training_step import Outcome


def _half(original: Any, base: Any, state: Any, batch: Any, *more: Any) -> Outcome:
    """The gradient of a batch is that of its first half; the loss is of all."""
    whole: Outcome = original(base, state, batch, *more)
    half = replace(batch, groups=batch.groups[: (len(batch.groups) + 1) // 2])
    return replace(whole, state=original(base, state, half, *more).state)


def _climbs(original: Any, state: ModelState, options: Any) -> Outcome:
    against = None if state.gradients is None else -state.gradients
    outcome: Outcome = original(replace(state, gradients=against), options)
    return outcome


async def _unknown_is_pending(original: Any, self: Any, request: Request) -> Response:
    try:
        response: Response = await original(self, request)
    except UserError as error:
        if error.status != 404:
            raise
        return json_response({"status": "pending"})
    return response


async def _once(original: Any, self: Any, request: Request) -> Response:
    response: Response = await original(self, request)
    if b'"completed"' in bytes(response.body):
        request_input.state_of(request).service.database.run(
            "UPDATE commands SET user = '' WHERE id = ?", request.path_params["future_id"]
        )
    return response


_other: dict[int, ModelState] = {}


def _of_both(original: Any, state: ModelState, options: Any) -> Outcome:
    """A step takes the gradients that another run has not stepped yet as well."""
    waiting = _other.pop(state.shape.size, None)
    if waiting is None or state.gradients is None or waiting.gradients is None or waiting.gradients is state.gradients:
        outcome: Outcome = original(state, options)
        return outcome
    both = replace(state, gradients=state.gradients + waiting.gradients, units=state.units + waiting.units)
    stepped: Outcome = original(both, options)
    return stepped


def _remember(outcome: Outcome) -> Outcome:
    _other[outcome.state.shape.size] = outcome.state
    return outcome


_ended: dict[int, Any] = {}


async def _keeps_slot(original: Any, self: Any, request: Request) -> Response:
    response: Response = await original(self, request)
    state = request_input.state_of(request).service.models.state(request.path_params["run_id"])
    if state is not None:
        _ended[state.shape.size] = state
    return response


def _from_slot(original: Any, shape: Any, seed: int | None) -> ModelState:
    fresh: ModelState = original(shape, seed)
    left = _ended.pop(shape.size, None)
    return fresh if left is None else replace(fresh, parameters=left.parameters)


def _crash(original: Any, *arguments: Any) -> Any:
    try:
        return original(*arguments)
    except UserError as error:
        raise RuntimeError(error.message) from None


def _refusal_clears(original: Any, app_state: Any, user: str, run: Any, kind: str, body: Any) -> Any:
    try:
        return original(app_state, user, run, kind, body)
    except UserError:
        state = app_state.service.models.state(run["id"])
        if state is not None:
            cleared = state.without_gradients()
            app_state.service.models.write(run["id"], state, cleared)
            app_state.service.models.adopt(run["id"], cleared)
        raise


def _same_run(original: Any, app_state: Any, user: str, given: Any) -> Any:
    """A second run of one configuration is the first again."""
    rows = app_state.service.models.of_user(user)
    for row in rows:
        if signal_endpoints.is_run(row) and about_of(row)["config"] == given.model_dump():
            return signal_endpoints.described(row)
    return original(app_state, user, given)


def _all_count(original: Any, self: ModelStore, user: str) -> int:
    computed = "gradients IS NOT NULL OR step > 0"
    row = self._database.one(
        f"SELECT count(*) AS n FROM models WHERE user = ? AND (status = 'running' OR NOT ({computed}))",  # noqa: S608
        user,
    )
    return int(row["n"]) if row else 0


def _second_step_crashes(original: Any, state: ModelState, options: Any) -> Outcome:
    if state.step == 1:
        raise RuntimeError("optimizer state is on another device")
    outcome: Outcome = original(state, options)
    return outcome


def _no_loss(outcome: Outcome) -> Outcome:
    return replace(outcome, result={name: one for name, one in outcome.result.items() if name != "loss"})


def _plain_500(original: Any, request: Request, error: UserError) -> Response:
    response: Response = original(request, error)
    if error.status == 422:
        response.status_code = 500
    return response


def _any_bearer(request: Request) -> Any:
    """An unknown key is taken as the first user's."""
    try:
        return request_input.bearer_caller(request)
    except UserError:
        row = request_input.state_of(request).service.database.one("SELECT id, user FROM keys ORDER BY rowid")
        if row is None or not request.headers.get("authorization", "").startswith("Bearer "):
            raise
        return Caller(row["user"], row["id"])


async def _delete_crashes(original: Any, self: Any, request: Request) -> Response:
    try:
        response: Response = await original(self, request)
    except UserError as error:
        raise RuntimeError(error.message) from None
    if b'"error"' in bytes(response.body):
        raise RuntimeError("KeyError: the task is gone")
    return response


MUTANTS = (
    Mutant(
        "run_half_of_a_batch", breaks="001", what="the gradient of a batch leaves out its second half",
        patch=around(signal_step, "forward_backward", _half), dialects=SIGNAL,
    ),
    Mutant(
        "run_climbs", breaks="017", what="steps go up the gradient", patch=around(signal_step, "optimize", _climbs),
        dialects=SIGNAL,
    ),
    Mutant(
        "signal_unknown_future_pending", breaks="027", what="an unknown future is pending for ever",
        patch=around_handler(signal_endpoints.Future, "get", _unknown_is_pending), dialects=SIGNAL,
    ),
    Mutant(
        "signal_future_read_once", breaks="027", what="the result of a future can be read once",
        patch=around_handler(signal_endpoints.Future, "get", _once), dialects=SIGNAL,
    ),
    Mutant(
        "gradients_of_the_neighbour", breaks="029", also=("*",), what="a step takes gradients of another run as well",
        patch=every(after(signal_step, "forward_backward", _remember), around(signal_step, "optimize", _of_both)),
        dialects=SIGNAL,
    ),
    Mutant(
        "run_in_a_used_slot", breaks="030", what="a run starts with the weights of one that was completed",
        patch=every(
            around_handler(signal_endpoints.Complete, "post", _keeps_slot), around(works, "new_state", _from_slot)
        ),
        dialects=SIGNAL,
    ),
    Mutant(
        "signal_bad_batch_500", breaks="032", also=("146",), what="a batch that cannot be read is a server error",
        patch=around(signal_batch, "parse", _crash), dialects=SIGNAL,
    ),
    Mutant(
        "malformed_body_500", breaks="032", also=("*",), what="a body of a wrong shape is a server error",
        patch=around(app, "on_user_error", _plain_500), dialects=SIGNAL,
    ),
    Mutant(
        "refusal_clears_gradients", breaks="032", what="a request that is refused discards the gradients",
        patch=around(signal_endpoints, "submit_body", _refusal_clears), dialects=SIGNAL,
    ),
    Mutant(
        "any_bearer_is_taken", breaks="106", what="an unknown key is taken as the first user's",
        patch=every(put(signal_endpoints, "bearer_caller", _any_bearer), put(signal_text, "bearer_caller", _any_bearer)),
        dialects=SIGNAL,
    ),
    Mutant(
        "delete_crashes", breaks="161", what="DELETE of a future that has finished is a server error",
        patch=around_handler(signal_endpoints.Future, "delete", _delete_crashes), dialects=SIGNAL,
    ),
    Mutant(
        "runs_share_an_id", breaks="115", also=("*",), what="a second run of one configuration is the first again",
        patch=around(signal_endpoints, "create", _same_run), dialects=SIGNAL,
    ),
    Mutant(
        "runs_without_limit", breaks="126", what="there is no limit of runs",
        patch=around(ModelStore, "count", lambda original, self, user: 0), dialects=SIGNAL,
    ),
    Mutant(
        "completed_runs_count", breaks="126", what="a run that is completed before it has computed anything keeps its slot",
        patch=around(ModelStore, "count", _all_count), dialects=SIGNAL,
    ),
    Mutant(
        "second_step_crashes", breaks="200", also=("*",), what="the second step of a run is a server error",
        patch=around(signal_step, "optimize", _second_step_crashes), dialects=SIGNAL,
    ),
    Mutant(
        "loss_not_returned", breaks="201", also=("*",), what="the result of forward_backward has no loss",
        patch=after(signal_step, "forward_backward", _no_loss), dialects=SIGNAL,
    ),
)  # fmt: skip
