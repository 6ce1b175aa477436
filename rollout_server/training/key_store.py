"""API keys. Only hashes are stored; a key is shown once, when it is made."""

import hashlib
import secrets
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from rollout_conformance.rollout_server.training import errors
from rollout_conformance.rollout_server.training.database import Database, Row
from rollout_conformance.rollout_server.training.settings import KeySpec

PREFIX = "sk-"
USED_S = 1.0  # `last_used` is as exact as this: a write for every request would be a tenth of what a request costs


@dataclass(frozen=True, slots=True)
class Caller:
    user: str
    key_id: str


def digest(key: bytes) -> str:
    """Bytes, as a header may hold any. Keys are long and random, so a fast hash is enough."""
    return hashlib.sha256(key).hexdigest()


class KeyStore:
    def __init__(self, database: Database, configured: Sequence[KeySpec]) -> None:
        self._database = database
        self._used: dict[str, float] = {}
        for spec in configured:
            self._add(spec.user, spec.key.get_secret_value(), spec.description)

    def _add(self, user: str, key: str, description: str) -> str:
        hashed, key_id = digest(key.encode()), f"key-{uuid.uuid4().hex[:16]}"
        if known := self._database.one("SELECT id FROM keys WHERE hash = ?", hashed):
            return str(known["id"])
        values = {"id": key_id, "user": user, "hash": hashed, "description": description, "created_at": time.time()}
        self._database.insert("keys", **values)
        return key_id

    def caller(self, key: bytes | None) -> Caller:
        """Raises `UserError` 401, the same for every reason."""
        found = self._database.one("SELECT id, user FROM keys WHERE hash = ? AND NOT revoked", digest(key or b""))
        if not key or found is None:
            raise errors.unauthorized()
        self._note_use(found["id"], time.time())
        return Caller(found["user"], found["id"])

    def _note_use(self, key_id: str, now: float) -> None:
        if not 0 <= now - self._used.get(key_id, 0.0) < USED_S:
            self._used[key_id] = now
            self._database.run("UPDATE keys SET last_used = ? WHERE id = ?", now, key_id)

    def create(self, user: str, description: str) -> dict[str, str]:
        key = PREFIX + secrets.token_urlsafe(32)
        return {"key": key, "id": self._add(user, key, description), "description": description}

    def list(self, user: str) -> list[Row]:
        statement = (
            "SELECT id, description, created_at, last_used FROM keys WHERE user = ? AND NOT revoked ORDER BY created_at"
        )
        return self._database.all(statement, user)

    def revoke(self, user: str, key_id: str) -> None:
        """Raises `UserError` 404."""
        if not self._database.run(
            "UPDATE keys SET revoked = 1 WHERE id = ? AND user = ? AND NOT revoked", key_id, user
        ):
            raise errors.no_such("key")
