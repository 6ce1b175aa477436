"""Records and spent tokens that are not in the state store yet; one transaction at a time takes them from memory.

So a request does not wait for the store. A killed process loses what happened since the last commit: at most `WRITE_S`
of the key store and the length of one transaction, or, while the store is unavailable, everything since it failed.
Requests in flight at a crash keep a record without a status. An orderly shutdown writes everything. A commit whose
acknowledgement is lost is repeated: records are equal, tokens count twice, so a budget ends too early, never too late.

No I/O and no clock. A failed transaction puts its batch back.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

MOST = 10_000  # records, some MB: reached only while a store that is not required is unavailable

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    rows: dict[str, Row]
    unwritten: Counter[str]

    def __bool__(self) -> bool:
        return bool(self.rows or self.unwritten)


class WriteBuffer:
    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._unwritten: Counter[str] = Counter()
        self._spent: Counter[str] = Counter()
        self.lost = 0  # records beyond the limit

    def put(self, row: Row) -> None:
        """A new record, or a newer version of one."""
        self._rows[row["record_id"]] = row
        while len(self._rows) > MOST:
            del self._rows[next(iter(self._rows))]
            self.lost += 1

    def spend(self, key_id: str, tokens: int) -> None:
        if tokens:
            self._unwritten[key_id] += tokens
            self._spent[key_id] += tokens

    def spent(self, key_id: str) -> int:
        """Since the start of the process."""
        return self._spent[key_id]

    def taken(self, key_id: str) -> int:
        """The part of it that a transaction has taken: a read inside that transaction finds it in the store."""
        return self._spent[key_id] - self._unwritten[key_id]

    @property
    def waiting(self) -> int:
        return len(self._rows) or len(self._unwritten)

    def take(self) -> Batch:
        batch = Batch(self._rows, self._unwritten)
        self._rows, self._unwritten = {}, Counter()
        return batch

    def restore(self, batch: Batch) -> None:
        """After a failed transaction. Records that changed meanwhile are newer and are kept."""
        newer, self._rows = self._rows, dict(batch.rows)
        self._unwritten.update(batch.unwritten)
        for row in newer.values():
            self.put(row)
