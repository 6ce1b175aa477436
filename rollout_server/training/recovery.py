"""After a restart: what was accepted and had not run is run, in the same order."""

from typing import Any

from rollout_conformance.contracts.training import wire_tinker
from rollout_conformance.rollout_server.training import errors, signal_works, tinker_works
from rollout_conformance.rollout_server.training import signal_endpoints as signal
from rollout_conformance.rollout_server.training import tinker_endpoints as tinker
from rollout_conformance.rollout_server.training.app_state import AppState
from rollout_conformance.rollout_server.training.command_log import command_of
from rollout_conformance.rollout_server.training.database import Row
from rollout_conformance.rollout_server.training.request_input import validate
from rollout_conformance.rollout_server.training.service import Job


def recover(app_state: AppState) -> None:
    app_state.service.recover(lambda row: job_of(app_state, row))


def job_of(app_state: AppState, row: Row) -> Job:
    """Raises `UserError`."""
    command = command_of(row)
    if command.kind == "asample":
        work, base = tinker_works.sample(app_state, command.user, validate(command.payload, wire_tinker.Sample))
        return Job(command, work, None, base)
    model = app_state.service.models.find(command.user, command.lane)
    if command.kind.startswith("signal_"):
        kind = command.kind.removeprefix("signal_")
        given: Any = validate(command.payload, signal.KINDS[kind])
        return Job(command, signal_works.build(app_state, model, kind, given), model["id"], model["base_model"])
    if command.kind not in tinker.SUBMITS:
        raise errors.invalid("This request cannot be repeated")
    given = validate(command.payload, tinker.SUBMITS[command.kind])
    work = tinker_works.build(app_state, command.user, model, command.kind, given)
    return Job(command, work, model["id"], model["base_model"])
