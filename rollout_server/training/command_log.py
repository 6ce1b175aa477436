"""The log of requests: each is stored before it is acknowledged, and finished in one transaction with what it changed."""

import hashlib
import time
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.training import errors
from rollout_conformance.rollout_server.training.database import Database, Row

PENDING, COMPLETED, FAILED, CANCELLED, EXPIRED = "pending", "completed", "failed", "cancelled", "expired"


@dataclass(frozen=True)
class Command:
    """`number` is what a repeated request is known by, within its lane; `seq` what it is ordered by."""

    user: str
    lane: str
    kind: str
    payload: dict[str, Any]
    number: str | None = None
    seq: int | None = None

    @cached_property
    def canonical(self) -> bytes:
        return json_text.canonical(self.payload)

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(self.kind.encode() + b"\0" + self.canonical).digest()


def command_of(row: Row) -> Command:
    return Command(
        row["user"], row["lane"], row["kind"], dict(json_text.loads(row["payload"])), row["number"], row["seq"]
    )


class CommandLog:
    def __init__(self, database: Database) -> None:
        self._database = database

    def earlier(self, command: Command) -> str | None:
        """The id that the same request has already. Raises `UserError` 409 for another request with its number."""
        if command.number is None:
            return None
        row = self._database.one("SELECT * FROM commands WHERE lane = ? AND number = ?", command.lane, command.number)
        if row is None:
            return None
        if row["digest"] != command.digest:
            raise errors.conflict(f"The number {command.number} belongs to another request")
        return str(row["id"])

    def add(self, command: Command) -> str:
        """Its new id, which cannot be guessed."""
        request_id = str(uuid.uuid4())
        self._database.insert(
            "commands",
            id=request_id,
            user=command.user,
            lane=command.lane,
            number=command.number,
            seq=command.seq,
            kind=command.kind,
            digest=command.digest,
            payload=command.canonical,
            status=PENDING,
            created_at=time.time(),
        )
        return request_id

    def finish(self, request_id: str, status: str, code: int, result: dict[str, Any]) -> None:
        self._database.run(
            "UPDATE commands SET status = ?, code = ?, result = ?, payload = NULL WHERE id = ? AND status = ?",
            status, code, json_text.dumps(result), request_id, PENDING,
        )  # fmt: skip

    def find(self, user: str, request_id: str) -> Row:
        """Raises `UserError` 404 for an unknown id, 410 for a result that is no longer kept."""
        row = self._database.one("SELECT * FROM commands WHERE id = ?", request_id)
        if row is None or row["user"] != user:
            raise errors.no_such("future")
        if row["status"] == EXPIRED:
            raise errors.gone("The result is no longer kept")
        return row

    def pending(self) -> list[Row]:
        return self._database.all("SELECT * FROM commands WHERE status = ? ORDER BY created_at, rowid", PENDING)

    def last_number(self, lane: str) -> int:
        row = self._database.one("SELECT max(seq) AS last FROM commands WHERE lane = ? AND status != ?", lane, PENDING)
        return int(row["last"]) if row is not None and row["last"] is not None else 0

    def expire(self, before: float) -> int:
        """Results are dropped; the numbers stay known, so that a late repetition is not run again."""
        return self._database.run(
            "UPDATE commands SET status = ?, result = NULL WHERE created_at < ? AND status IN (?, ?, ?)",
            EXPIRED, before, COMPLETED, FAILED, CANCELLED,
        )  # fmt: skip
