"""Defects between tenants of the dialect `tinker-json`, and of its keys."""

from dataclasses import replace
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import TESTS, Mutant, around, every, put
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import key_store, tinker_rest
from rollout_conformance.rollout_server.training.checkpoints import Checkpoints
from rollout_conformance.rollout_server.training.command_log import CommandLog
from rollout_conformance.rollout_server.training.errors import UserError
from rollout_conformance.rollout_server.training.model_store import ModelStore


def _of_anybody(table: str, kind: str | None = None) -> Any:
    """The id alone decides. `kind`: of this dialect only, by how its ids begin."""

    def find(original: Any, self: Any, user: str, name: str) -> Any:
        row = self._database.one(f"SELECT user FROM {table} WHERE id = ?", name)  # noqa: S608
        return original(self, row["user"] if row else user, name)

    return find


def _path_of_anybody(original: Any, self: Checkpoints, user: str, path: Any) -> Any:
    row = self._row(path)
    return original(self, row["user"] if row else user, path)


def _names_the_owner(original: Any, self: ModelStore, user: str, name: str) -> Any:
    try:
        return original(self, user, name)
    except UserError:
        row = self._database.one("SELECT user FROM models WHERE id = ?", name)
        if row is not None:
            raise UserError(403, f"The model belongs to {row['user']}") from None
        raise


def _run_of_anybody(original: Any, app_state: Any, caller: Any, request: Any) -> Any:
    row = app_state.service.database.one("SELECT user FROM models WHERE id = ?", request.path_params["model_id"])
    return original(app_state, replace(caller, user=row["user"]) if row else caller, request)


def _all_models(app_state: Any, user: str) -> Any:
    return app_state.service.database.all(
        "SELECT id, user, session, base_model, status, step, created_at, updated_at, about FROM models WHERE session IS NOT NULL"
    )


def _all_checkpoints(original: Any, self: Checkpoints, user: str) -> Any:
    return self._database.all("SELECT * FROM checkpoints ORDER BY created_at DESC")


def _all_sessions(original: Any, self: ModelStore, user: str) -> Any:
    return self._database.all("SELECT * FROM sessions ORDER BY created_at DESC")


MUTANTS = (
    Mutant(
        "models_of_anybody", breaks="028", also=("*",), what="a model can be used with any key",
        patch=around(ModelStore, "find", _of_anybody("models")), dialects=TINKER,
    ),
    Mutant(
        "sessions_of_anybody", breaks="028", also=("*",), what="a session can be used with any key",
        patch=around(ModelStore, "session", _of_anybody("sessions")), dialects=TINKER,
    ),
    Mutant(
        "futures_of_anybody", breaks="028", what="a future can be read with any key",
        patch=around(CommandLog, "find", _of_anybody("commands")), dialects=TINKER,
    ),
    Mutant(
        "checkpoints_of_anybody", breaks="028", also=("053",), what="a checkpoint can be loaded with any key",
        patch=around(Checkpoints, "find", _path_of_anybody), dialects=TINKER,
    ),
    Mutant(
        "owner_is_named", breaks="028", what="the refusal of another tenant's model names the owner",
        patch=around(ModelStore, "find", _names_the_owner), dialects=TINKER,
    ),
    Mutant(
        "lists_everybodys_runs", breaks="028", what="training_runs lists the models of all tenants",
        patch=put(tinker_rest, "models_of", _all_models), dialects=TINKER,
    ),
    Mutant(
        "lists_everybodys_checkpoints", breaks="028", what="checkpoints lists those of all tenants",
        patch=around(Checkpoints, "of_user", _all_checkpoints), dialects=TINKER,
    ),
    Mutant(
        "lists_everybodys_sessions", breaks="028", what="sessions lists those of all tenants",
        patch=around(ModelStore, "sessions", _all_sessions), dialects=TINKER,
    ),
    Mutant(
        "describes_everybodys_runs", breaks="028", what="training_runs/{id} describes a run to any key",
        patch=around(tinker_rest, "model", _run_of_anybody), dialects=TINKER,
    ),
    Mutant(
        "deletes_everybodys_checkpoints", breaks="028", also=("018", "020"), what="a checkpoint can be deleted with any key",
        patch=every(around(tinker_rest, "model", _run_of_anybody), around(Checkpoints, "remove", _path_of_anybody)), dialects=TINKER,
    ),
    Mutant(
        "keys_in_plain_text", breaks="110", what="keys are stored as they are",
        patch=put(key_store, "digest", lambda key: key.decode("latin-1")), by=TESTS, dialects=("signal",),
    ),
)  # fmt: skip
