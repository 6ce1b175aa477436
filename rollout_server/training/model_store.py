"""Sessions, models and their states. The state of a model is in the database; the latest used ones are in memory as well."""

import time
import uuid
from collections import OrderedDict
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.training import errors, model_state
from rollout_conformance.rollout_server.training.database import Database, Row
from rollout_conformance.rollout_server.training.model_state import ModelState

CACHED = 128
SEEN_S = 0.25  # a sign of life is written down when the last one is older than this, or than a part of the time that a session may be silent
SEEN_PART = 0.1
END_MODELS = "UPDATE models SET status = 'ended', parameters = NULL, moments = NULL, gradients = NULL WHERE session = ?"
END_MODEL = "UPDATE models SET status = ?, parameters = NULL, moments = NULL, gradients = NULL WHERE id = ?"


class ModelStore:
    def __init__(self, database: Database, session_timeout_s: float) -> None:
        self._database = database
        self._timeout_s = session_timeout_s
        self._states: OrderedDict[str, ModelState] = OrderedDict()

    # sessions

    def create_session(self, user: str, about: dict[str, Any]) -> str:
        session, now = f"session-{uuid.uuid4().hex}", time.time()
        text = json_text.dumps(about).decode()
        self._database.insert("sessions", id=session, user=user, created_at=now, last_seen=now, about=text)
        return session

    def session(self, user: str, session: str) -> Row:
        """Raises `UserError` 404."""
        row = self._database.one("SELECT * FROM sessions WHERE id = ?", session)
        if row is None or row["user"] != user:
            raise errors.no_such("session")
        return row

    def touch(self, user: str, session: str) -> None:
        """A sign of life. Raises `UserError` 404, and 410 for a session that has ended, by request or by silence."""
        row, now = self.session(user, session), time.time()
        if not is_living(row, self._timeout_s, now):
            self.end_session(user, session)
            raise errors.gone("The session has ended")
        if not 0 <= now - row["last_seen"] < min(SEEN_S, self._timeout_s * SEEN_PART):
            self._database.run("UPDATE sessions SET last_seen = ? WHERE id = ?", now, session)

    def end_session(self, user: str, session: str) -> None:
        self.session(user, session)
        self._database.run("UPDATE sessions SET ended = 1 WHERE id = ?", session)
        self._database.run(END_MODELS, session)

    def silent_sessions(self) -> list[Row]:
        """Those that have not ended, and from which nothing was heard for too long."""
        return self._database.all(
            "SELECT id, user FROM sessions WHERE NOT ended AND last_seen < ?", time.time() - self._timeout_s
        )

    def sessions(self, user: str) -> list[Row]:
        return self._database.all("SELECT * FROM sessions WHERE user = ? ORDER BY created_at DESC", user)

    # models

    def add(
        self, user: str, session: str | None, base_model: str, about: dict[str, Any], state: ModelState, model: str
    ) -> None:
        """Inside a transaction."""
        now = time.time()
        values: dict[str, Any] = {"id": model, "user": user, "session": session, "base_model": base_model}
        times = {"created_at": now, "updated_at": now}
        parts = {"counts": model_state.counts(state), "parameters": state.parameters.tobytes()}
        self._database.insert(
            "models", **values, **parts, status="running", about=json_text.dumps(about).decode(), **times
        )

    def find(self, user: str, model: str) -> Row:
        """Without its state. Raises `UserError` 404."""
        row = self._database.one(
            "SELECT id, user, session, base_model, status, step, created_at, updated_at, about FROM models WHERE id = ?",
            model,
        )
        if row is None or row["user"] != user:
            raise errors.no_such("model")
        return row

    def of_user(self, user: str) -> list[Row]:
        return self._database.all(
            "SELECT id, user, session, base_model, status, step, created_at, updated_at, about FROM models "
            "WHERE user = ? ORDER BY created_at DESC, rowid DESC",
            user,
        )

    def count(self, user: str) -> int:
        row = self._database.one("SELECT count(*) AS n FROM models WHERE user = ? AND status = 'running'", user)
        return int(row["n"]) if row else 0

    def count_all(self) -> int:
        row = self._database.one("SELECT count(*) AS n FROM models WHERE status = 'running'")
        return int(row["n"]) if row else 0

    def state(self, model: str) -> ModelState | None:
        if model not in self._states:
            row = self._database.one("SELECT counts, parameters, moments, gradients FROM models WHERE id = ?", model)
            if row is None or row["parameters"] is None:
                return None
            self._remember(model, model_state.join(row["counts"], row["parameters"], row["moments"], row["gradients"]))
        self._states.move_to_end(model)
        return self._states[model]

    def write(self, model: str, before: ModelState | None, after: ModelState) -> None:
        """Inside a transaction; `adopt` follows when it is committed. What is the same as `before` is not written again."""
        changed: dict[str, Any] = {"counts": model_state.counts(after), "step": after.step, "updated_at": time.time()}
        if before is None or after.parameters is not before.parameters:
            changed["parameters"] = after.parameters.tobytes()
        if before is None or after.moments is not before.moments:
            changed["moments"] = model_state.moments_bytes(after.moments)
        if before is None or after.gradients is not before.gradients:
            changed["gradients"] = model_state.array_bytes(after.gradients)
        names = ", ".join(f"{name} = ?" for name in changed)
        self._database.run(f"UPDATE models SET {names} WHERE id = ?", *changed.values(), model)  # noqa: S608

    def adopt(self, model: str, state: ModelState) -> None:
        self._remember(model, state)

    def forget(self, model: str) -> None:
        self._states.pop(model, None)

    def set_status(self, model: str, status: str) -> None:
        self._database.run("UPDATE models SET status = ?, updated_at = ? WHERE id = ?", status, time.time(), model)

    def _remember(self, model: str, state: ModelState) -> None:
        self._states[model] = state
        self._states.move_to_end(model)
        while len(self._states) > CACHED:
            self._states.popitem(last=False)


def is_living(session: Row, timeout_s: float, now: float) -> bool:
    return not session["ended"] and now - float(session["last_seen"]) <= timeout_s


def about_of(row: Row) -> dict[str, Any]:
    return dict(json_text.loads(row["about"]))
