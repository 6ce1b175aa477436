"""Keys, spent tokens and records on top of the state store, and what happens while it is unavailable.

No request waits for a write: records are buffered and written a moment later. A request waits for the read of its key,
if that was not read within `FRESH_S`, and is rejected as soon as the store is known to be unavailable. So several
routers with one store share keys and budgets with a delay of at most `WRITE_S + FRESH_S`.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from rollout_conformance.rollout_server.router import api_keys, errors, sql
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.request_validation import InferenceRequest
from rollout_conformance.rollout_server.router.settings import Settings
from rollout_conformance.rollout_server.router.state_store import Store, StoreDownError
from rollout_conformance.rollout_server.router.tables import Work
from rollout_conformance.rollout_server.router.write_buffer import Row, WriteBuffer

T = TypeVar("T")

FRESH_S = 0.5  # how long a revocation or spending by another process may go unnoticed
WRITE_S = 0.2  # how long records and spending are collected: a commit costs more than what it commits
AGAIN_S = 0.5  # after the store was unavailable


@dataclass(frozen=True, slots=True)
class CachedKey:
    """A key as it was read. `booked` of its spent tokens were spent by this process."""

    key: Key
    booked: int = 0
    until: float = 0.0


class KeyStore:
    """With `state_required` nothing is served without the store. Otherwise known keys are, and their records are buffered."""

    def __init__(self, settings: Settings) -> None:
        rows = [api_keys.row(spec, api_keys.digest(spec.key.get_secret_value().encode())) for spec in settings.keys]
        url = settings.state.get_secret_value() if settings.state else None
        self.buffer = WriteBuffer()
        self.store = Store(url, settings.state_timeout_s, sql.seed(rows), self.buffer)
        self._required = settings.state_required
        self._known = {row["hash"]: CachedKey(api_keys.from_row(row)) for row in rows}
        self._reading: dict[str, asyncio.Task[CachedKey | None]] = {}
        self._writing: asyncio.Task[None] | None = None

    async def key(self, hashed: str) -> Key | None:
        known = self._known.get(hashed)
        if known is None or known.until < time.monotonic():
            known = await self._read(hashed)
        return self._current(known) if known else None

    def _current(self, known: CachedKey) -> Key:
        """With what this process spent since, if there is a budget."""
        if known.key.budget_tokens is None:
            return known.key
        since = self.buffer.spent(known.key.id) - known.booked
        return replace(known.key, spent_tokens=known.key.spent_tokens + since) if since else known.key

    async def _read(self, hashed: str) -> CachedKey | None:
        """Concurrent reads of one key share one query."""
        reading = self._reading.get(hashed)
        if reading is None:
            reading = self._reading[hashed] = asyncio.create_task(self.store.do(self._find_key(hashed)))
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

    def _find_key(self, hashed: str) -> Work[CachedKey | None]:
        async def work(connection: AsyncConnection) -> CachedKey | None:
            key = await sql.find_key(hashed)(connection)
            return CachedKey(key, self.buffer.taken(key.id)) if key else None

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

    async def begin(self, inference: InferenceRequest) -> Row:
        """The record, which is buffered before a backend is used: so no use goes unrecorded."""
        if self._required and not self.store.is_available():
            await self._needed(sql.ping)
        row = sql.new_record(inference)
        self.buffer.put(row)
        self._write_soon()
        return row

    def finish(self, row: Row | None, key: Key, values: dict[str, Any], tokens: int) -> None:
        """The end of a record and the tokens of its key. No record: the store was unavailable and no backend was used."""
        if row is not None:
            self.buffer.put({**row, **values})
        self.buffer.spend(key.id, tokens)
        self._write_soon()

    def _write_soon(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self.buffer.waiting:
            await asyncio.sleep(WRITE_S)
            if not await self.is_available():
                await asyncio.sleep(AGAIN_S)

    async def close(self) -> int:
        """How many records are lost because the store is unavailable."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        if self.buffer.waiting:
            await self.is_available()
        await self.store.close()
        return self.buffer.waiting + self.buffer.lost

    async def is_available(self) -> bool:
        """Asks the store. The transaction writes the book as well."""
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
