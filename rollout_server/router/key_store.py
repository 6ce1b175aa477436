"""Keys, spending and records on top of the state store, and what becomes of them while it is away.

No request waits for the store to write: what it did stands in the book, which is written a moment later. It waits for the store to read its
key, if that was not read within `FRESH_S`, and it is refused as soon as the store is known to be away. So several routers with one
store share keys and budgets with a delay: what one of them spends the others learn within `WRITE_S + FRESH_S`.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from rollout_conformance.rollout_server.router import api_keys, errors, sql
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.request_validation import Asked
from rollout_conformance.rollout_server.router.settings import Settings
from rollout_conformance.rollout_server.router.state_store import Store, StoreDownError
from rollout_conformance.rollout_server.router.tables import Work
from rollout_conformance.rollout_server.router.write_buffer import Book, Row

T = TypeVar("T")

FRESH_S = 0.5  # how long another process may revoke a key, or spend its budget, unheard
WRITE_S = 0.2  # how long records and spending are collected: a commit costs more than what it commits
AGAIN_S = 0.5  # after the store was not there


@dataclass(frozen=True, slots=True)
class Known:
    """A key as it was read. What it had spent then holds `booked` tokens of this process."""

    key: Key
    booked: int = 0
    until: float = 0.0


class Ledger:
    """With `state_required` nothing is served without the store. Otherwise keys that are known are; their records wait for it."""

    def __init__(self, settings: Settings) -> None:
        rows = [api_keys.row(spec, api_keys.digest(spec.key.get_secret_value().encode())) for spec in settings.keys]
        url = settings.state.get_secret_value() if settings.state else None
        self.book = Book()
        self.store = Store(url, settings.state_timeout_s, sql.seed(rows), self.book)
        self._required = settings.state_required
        self._known = {row["hash"]: Known(api_keys.from_row(row)) for row in rows}
        self._reading: dict[str, asyncio.Task[Known | None]] = {}
        self._writing: asyncio.Task[None] | None = None

    async def key(self, hashed: str) -> Key | None:
        known = self._known.get(hashed)
        if known is None or known.until < time.monotonic():
            known = await self._read(hashed)
        return self._current(known) if known else None

    def _current(self, known: Known) -> Key:
        """With what this process spent since, where it matters."""
        if known.key.budget_tokens is None:
            return known.key
        since = self.book.spent(known.key.id) - known.booked
        return replace(known.key, spent_tokens=known.key.spent_tokens + since) if since else known.key

    async def _read(self, hashed: str) -> Known | None:
        """Once for all who ask for the same key meanwhile."""
        reading = self._reading.get(hashed)
        if reading is None:
            reading = self._reading[hashed] = asyncio.create_task(self.store.do(self._finding(hashed)))
            reading.add_done_callback(lambda _: self._reading.pop(hashed))
        try:
            found = await asyncio.shield(reading)
        except StoreDownError:
            if self._required:
                raise errors.no_state() from None
            found = self._known.get(hashed)
        if found is not None:
            self._known[hashed] = replace(found, until=time.monotonic() + FRESH_S)
        return found

    def _finding(self, hashed: str) -> Work[Known | None]:
        async def work(connection: AsyncConnection) -> Known | None:
            key = await sql.find_key(hashed)(connection)
            return Known(key, self.book.taken(key.id)) if key else None

        return work

    async def keys(self) -> Sequence[Key]:
        return await self._needed(sql.all_keys())

    async def add(self, row: dict[str, Any]) -> Key:
        key = await self._needed(sql.add_key(row))
        if key is None:
            raise errors.key_exists()
        return key

    async def revoke(self, key_id: str) -> None:
        if not await self._needed(sql.revoke_key(key_id)):
            raise errors.no_such("key")
        self._known = {hashed: known for hashed, known in self._known.items() if known.key.id != key_id}

    async def request(self, org: str, request_id: str) -> dict[str, Any]:
        found = await self._needed(sql.find_request(org, request_id))
        if found is None:
            raise errors.no_such("request")
        return found

    async def begin(self, asked: Asked) -> Row:
        """The record, which is in the book before a backend is asked: so none works unseen."""
        if self._required and not self.store.is_there():
            await self._needed(sql.ping)
        row = sql.opened(asked)
        self.book.put(row)
        self._write_soon()
        return row

    def finish(self, row: Row | None, key: Key, values: dict[str, Any], tokens: int) -> None:
        """The end of a record and the tokens of its key. No record: the store was away, and nothing was asked of a backend."""
        if row is not None:
            self.book.put({**row, **values})
        self.book.spend(key.id, tokens)
        self._write_soon()

    def _write_soon(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self.book.waiting:
            await asyncio.sleep(WRITE_S)
            if not await self.is_there():
                await asyncio.sleep(AGAIN_S)

    async def close(self) -> int:
        """How many records are lost, because the store is away and does not come in time."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        if self.book.waiting:
            await self.is_there()
        await self.store.close()
        return self.book.waiting + self.book.lost

    async def is_there(self) -> bool:
        """Asks the store. Whatever transaction does so writes the book as well."""
        try:
            await self.store.do(sql.ping)
        except StoreDownError:
            return False
        return True

    async def _needed(self, work: Work[T]) -> T:
        try:
            return await self.store.do(work)
        except StoreDownError:
            raise errors.no_state() from None
