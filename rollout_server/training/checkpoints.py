"""Checkpoints: names, owners and lifetimes. A checkpoint never changes; only `overwrite` lets a name mean another one."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.training import errors
from rollout_conformance.rollout_server.training.checkpoint_files import CheckpointFiles
from rollout_conformance.rollout_server.training.database import Database, Row
from rollout_conformance.rollout_server.training.model_state import ModelState

WEIGHTS, SAMPLER_WEIGHTS = "weights", "sampler_weights"
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
PATH = re.compile(rf"tinker://([A-Za-z0-9:-]{{1,96}})/({WEIGHTS}|{SAMPLER_WEIGHTS})/({NAME.pattern})")


@dataclass(frozen=True, slots=True)
class Path:
    model: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"tinker://{self.model}/{self.kind}/{self.name}"


def parse_path(text: str) -> Path:
    """Raises `UserError` 400."""
    found = PATH.fullmatch(text)
    if found is None:
        raise errors.invalid(
            "The path is not of the form tinker://MODEL/weights/NAME or tinker://MODEL/sampler_weights/NAME"
        )
    return Path(found[1], found[2], found[3])


def check_name(name: str) -> str:
    """Raises `UserError` 400."""
    if not NAME.fullmatch(name):
        raise errors.invalid(
            "path must be 1 to 128 letters, digits, dots, underscores or dashes, and not begin with a dot"
        )
    return name


@dataclass(frozen=True, slots=True)
class About:
    """What is shown of a checkpoint beside its name."""

    base_model: str
    rank: int
    step: int


class Checkpoints:
    def __init__(self, database: Database, files: CheckpointFiles) -> None:
        self._database = database
        self.files = files
        self.reserved: dict[Path, str] = {}
        self._nameless: set[str] = set()
        files.sweep({str(row["file"]) for row in database.all("SELECT file FROM checkpoints")} | self._used())

    def _used(self) -> set[str]:
        return {str(row["file"]) for row in self._database.all("SELECT file FROM samplers WHERE file IS NOT NULL")}

    def reserve(self, path: Path, request_id: str, *, overwrite: bool) -> None:
        """Raises `UserError` 409 for a name that is taken, or will be by a request that waits."""
        holder = self.reserved.get(path)
        if not overwrite and ((holder and holder != request_id) or self._row(path) is not None):
            raise errors.conflict(f"There is a checkpoint with the name {path.name}")
        self.reserved[path] = request_id

    def is_taken(self, path: Path) -> bool:
        return path in self.reserved or self._row(path) is not None

    def release(self, path: Path, request_id: str) -> None:
        if self.reserved.get(path) == request_id:
            del self.reserved[path]

    def _row(self, path: Path) -> Row | None:
        statement = "SELECT * FROM checkpoints WHERE model = ? AND kind = ? AND name = ? AND (expires_at IS NULL OR expires_at > ?)"
        return self._database.one(statement, path.model, path.kind, path.name, time.time())

    def exists(self, user: str, path: Path) -> bool:
        row = self._row(path)
        return row is not None and row["user"] == user

    def find(self, user: str, path: Path) -> Row:
        """Raises `UserError` 404, also for what belongs to another user."""
        row = self._row(path)
        if row is None or row["user"] != user:
            raise errors.no_such("checkpoint")
        return row

    def read(self, row: Row) -> ModelState:
        return self.files.read(str(row["file"]))

    def add(self, user: str, path: Path, file: tuple[str, int], about: About, ttl_s: int | None) -> None:
        """Inside a transaction. A name that existed means the new file from now on."""
        same = "model = ? AND kind = ? AND name = ?"
        self._drop(same, path.model, path.kind, path.name)
        now = time.time()
        text = json_text.dumps({"base_model": about.base_model, "rank": about.rank, "step": about.step}).decode()
        values: dict[str, Any] = {"file": file[0], "user": user, "model": path.model, "kind": path.kind}
        expires = None if ttl_s is None else now + ttl_s
        self._database.insert(
            "checkpoints", **values, name=path.name, created_at=now, expires_at=expires, size=file[1], about=text
        )

    def remove(self, user: str, path: Path) -> None:
        """Raises `UserError` 404."""
        self._drop("file = ?", self.find(user, path)["file"])
        self.remove_unused()

    def set_lifetime(self, user: str, path: Path, ttl_s: int | None) -> None:
        """From now on; None: it never expires. Raises `UserError` 404."""
        expires = None if ttl_s is None else time.time() + ttl_s
        self._database.run(
            "UPDATE checkpoints SET expires_at = ? WHERE file = ?", expires, self.find(user, path)["file"]
        )

    def set_public(self, user: str, path: Path, public: bool) -> None:
        """Raises `UserError` 404, and 409 where it is so already."""
        row = self.find(user, path)
        if is_public(row) is public:
            raise errors.conflict(f"The checkpoint is {'public' if public else 'private'} already")
        about = json_text.dumps({**about_of(row), "public": public}).decode()
        self._database.run("UPDATE checkpoints SET about = ? WHERE file = ?", about, row["file"])

    def readable(self, user: str, path: Path) -> Row:
        """Of this user, or public. Raises `UserError` 404."""
        row = self._row(path)
        return row if row is not None and is_public(row) else self.find(user, path)

    def _drop(self, which: str, *values: Any) -> None:
        rows = self._database.all(f"SELECT file FROM checkpoints WHERE {which}", *values)  # noqa: S608
        for row in rows:
            self._database.run("DELETE FROM checkpoints WHERE file = ?", row["file"])
            self._nameless.add(str(row["file"]))

    def remove_unused(self) -> None:
        """Files that neither a name nor a sampler means any more."""
        self._drop("expires_at < ?", time.time())
        for file in self._nameless - self._used():
            self.files.remove(file)
            self._nameless.discard(file)

    def remove_samplers(self, session: str) -> None:
        """Of a session that has ended; they can no longer be sampled from."""
        for row in self._database.all("SELECT file FROM samplers WHERE session = ? AND path IS NULL", session):
            self._nameless |= {str(row["file"])} if row["file"] else set()
        self._database.run("DELETE FROM samplers WHERE session = ?", session)

    def count(self) -> int:
        row = self._database.one("SELECT count(*) AS n FROM checkpoints")
        return int(row["n"]) if row else 0

    def of_model(self, user: str, model: str) -> Iterable[Row]:
        return self._database.all(
            "SELECT * FROM checkpoints WHERE user = ? AND model = ? ORDER BY created_at", user, model
        )

    def of_user(self, user: str) -> Iterable[Row]:
        return self._database.all("SELECT * FROM checkpoints WHERE user = ? ORDER BY created_at DESC", user)


def path_of(row: Row) -> Path:
    return Path(row["model"], row["kind"], row["name"])


def about_of(row: Row) -> dict[str, Any]:
    return dict(json_text.loads(row["about"]))


def is_public(row: Row) -> bool:
    return bool(about_of(row).get("public", False))
