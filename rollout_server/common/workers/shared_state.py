"""State on which the processes of a group have to agree at any moment: a few small tables in one SQLite file.

Access is synchronous and takes some microseconds, so what is checked and what is written is one step, as in one process. The file
lives as long as the group; nothing waits for the disk. Writers wait in line at a lock of the kernel: SQLite would sleep a
millisecond and try again.
"""

import contextlib
import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


class SharedState:
    """Opened in each process after its start: a connection must not be inherited."""

    def __init__(self, folder: Path, tables: str) -> None:
        self._lock = (folder / "shared.lock").open("wb")
        self._db = sqlite3.connect(folder / "shared.db", isolation_level=None, check_same_thread=False)
        with self._alone():
            # The log survives a process that is killed while it writes; the disk is not waited for.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.executescript(tables)

    def one(self, query: str, *values: Any) -> Any:
        """The first column of the first row, None without one."""
        row = self._db.execute(query, values).fetchone()
        return row[0] if row else None

    def all(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._db.execute(query, values).fetchall()

    def execute(self, statement: str, *values: Any) -> None:
        """Within a transaction."""
        self._db.execute(statement, values)

    def write(self, statement: str, *values: Any) -> None:
        with self.transaction():
            self._db.execute(statement, values)

    def insert(self, statement: str, *values: Any) -> int:
        """The number of the new row."""
        with self.transaction():
            return self._db.execute(statement, values).lastrowid or 0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is read in the block is true until its end."""
        with self._alone():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        self._db.close()
        self._lock.close()
