"""What has happened and does not stand in the state store yet: records and spending, in memory until a transaction takes them.

This is why a request need not wait for the store. The price is paid by a crash, which is to say when the process is killed: it loses what
happened since the last commit, at most the `WRITE_S` of the ledger and the length of one transaction; while the store is away, what
happened since it went. Requests that still ran have a record without a status by then, if they ran for as long. An orderly
shutdown writes everything. A commit whose acknowledgement is lost is repeated: records are the same as before, tokens count
twice, so that a budget ends too early and never too late.

No I/O here, and no clock. One transaction at a time takes what waits, and gives it back when it failed.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

MOST = 10_000  # records that wait, some MB: only a store that is away and not required lets them become so many

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    rows: dict[str, Row]
    owed: Counter[str]

    def __bool__(self) -> bool:
        return bool(self.rows or self.owed)


class Book:
    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._owed: Counter[str] = Counter()
        self._spent: Counter[str] = Counter()
        self.lost = 0  # records for which there was no place

    def put(self, row: Row) -> None:
        """A record, or what it has become."""
        self._rows[row["record_id"]] = row
        while len(self._rows) > MOST:
            del self._rows[next(iter(self._rows))]
            self.lost += 1

    def spend(self, key_id: str, tokens: int) -> None:
        if tokens:
            self._owed[key_id] += tokens
            self._spent[key_id] += tokens

    def spent(self, key_id: str) -> int:
        """Since the process began."""
        return self._spent[key_id]

    def taken(self, key_id: str) -> int:
        """The part of it that a transaction has taken, so whoever reads inside that transaction sees it in the store."""
        return self._spent[key_id] - self._owed[key_id]

    @property
    def waiting(self) -> int:
        return len(self._rows) or len(self._owed)

    def take(self) -> Batch:
        batch = Batch(self._rows, self._owed)
        self._rows, self._owed = {}, Counter()
        return batch

    def give_back(self, batch: Batch) -> None:
        """The transaction failed. What a record has become meanwhile is newer."""
        newer, self._rows = self._rows, dict(batch.rows)
        self._owed.update(batch.owed)
        for row in newer.values():
            self.put(row)
