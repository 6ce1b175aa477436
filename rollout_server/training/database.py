"""SQLite: plain statements, one connection, one transaction at a time. A statement takes microseconds, so nothing here waits."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rollout_conformance.rollout_server.training import schema

Row = Mapping[str, Any]


class Database:
    def __init__(self, file: Path, *, kept: bool = True) -> None:
        """`kept` is whether what is committed has to survive the process."""
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        for statement in (*(schema.KEPT if kept else schema.TEMPORARY), *schema.TABLES):
            self._connection.execute(statement)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside, or none of them."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def insert(self, table: str, **values: Any) -> None:
        names = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        # The names of tables and columns are those of this program; only values come from outside.
        self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608

    def run(self, statement: str, *values: Any) -> int:
        """How many rows it changed."""
        return self._connection.execute(statement, values).rowcount

    def one(self, statement: str, *values: Any) -> Row | None:
        found = self._connection.execute(statement, values).fetchone()
        return dict(found) if found is not None else None

    def all(self, statement: str, *values: Any) -> list[Row]:
        return [dict(row) for row in self._connection.execute(statement, values).fetchall()]

    def close(self) -> None:
        self._connection.close()
