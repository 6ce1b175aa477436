"""Which rollout each idempotency key was used for, where a server is several processes.

Rollout ids need no such table: everything of one id is handled by one process.
"""

from rollout_conformance.rollout_server.common.workers.shared_state import SharedState

TABLES = """
CREATE TABLE IF NOT EXISTS idempotency_keys (key BLOB PRIMARY KEY, rollout_id BLOB NOT NULL, worker INTEGER NOT NULL);
"""


class KeyClaims:
    def __init__(self, state: SharedState, worker: int) -> None:
        self._state = state
        self._worker = worker
        state.write(
            "DELETE FROM idempotency_keys WHERE worker = ?", worker
        )  # of rollouts that were lost with their process

    def claim(self, key: bytes, rollout_id: str) -> bool:
        """Whether the key is that of this rollout: the first one that claims it has it."""
        name = encoded(rollout_id)
        with self._state.transaction() as db:
            db.execute("INSERT OR IGNORE INTO idempotency_keys VALUES (?, ?, ?)", (key, name, self._worker))
            found = db.execute("SELECT rollout_id FROM idempotency_keys WHERE key = ?", (key,)).fetchone()
            return bool(found == (name,))

    def release(self, key: bytes, rollout_id: str) -> None:
        self._state.write("DELETE FROM idempotency_keys WHERE key = ? AND rollout_id = ?", key, encoded(rollout_id))


def encoded(rollout_id: str) -> bytes:
    return rollout_id.encode("utf-8", "surrogatepass")
