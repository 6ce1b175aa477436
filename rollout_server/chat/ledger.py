"""Keys, spending and records on top of the state store, and what becomes of them while it is away."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from rollout_server.chat import errors, keys, records
from rollout_server.chat.checks import Asked
from rollout_server.chat.keys import Key
from rollout_server.chat.settings import Settings
from rollout_server.chat.store import Store, StoreDownError, Work

T = TypeVar("T")


FRESH_S = 0.5  # how long another process may revoke a key unheard


class Ledger:
    """With `state_required` nothing is served without the store. Otherwise keys that are known are, without records."""

    def __init__(self, settings: Settings) -> None:
        rows = [keys.row(spec, keys.digest(spec.key.get_secret_value().encode())) for spec in settings.keys]
        url = settings.state.get_secret_value() if settings.state else None
        self.store = Store(url, settings.state_timeout_s, records.seed(rows))
        self._required = settings.state_required
        self._known = {row["hash"]: keys.from_row(row) for row in rows}
        self._fresh: dict[str, tuple[Key, float]] = {}
        self._unbooked: Counter[str] = Counter()  # tokens by key, spent while the store was away

    async def key(self, hashed: str) -> Key | None:
        fresh = self._fresh.get(hashed)
        if fresh is not None and fresh[1] > time.monotonic():
            return replace(fresh[0], spent_tokens=fresh[0].spent_tokens + self._unbooked[fresh[0].id])
        try:
            found = await self.store.do(records.find_key(hashed))
        except StoreDownError:
            if self._required:
                raise errors.no_state() from None
            found = self._known.get(hashed)
        if found is None:
            return None
        self._known[hashed] = found
        if found.budget_tokens is None:  # what a budget still holds is read anew for every request
            self._fresh[hashed] = (found, time.monotonic() + FRESH_S)
        return replace(found, spent_tokens=found.spent_tokens + self._unbooked[found.id])

    async def keys(self) -> Sequence[Key]:
        return await self._needed(records.all_keys())

    async def add(self, row: dict[str, Any]) -> Key:
        key = await self._needed(records.add_key(row))
        if key is None:
            raise errors.key_exists()
        return key

    async def revoke(self, key_id: str) -> None:
        if not await self._needed(records.revoke_key(key_id)):
            raise errors.no_such("key")
        self._fresh.clear()
        self._known = {hashed: key for hashed, key in self._known.items() if key.id != key_id}

    async def request(self, org: str, request_id: str) -> dict[str, Any]:
        found = await self._needed(records.find_request(org, request_id))
        if found is None:
            raise errors.no_such("request")
        return found

    async def begin(self, asked: Asked) -> str:
        """The id of the record, which exists before a backend is asked: so none works unseen."""
        record_id, work = records.begin(asked.key, asked.request_id, asked.path, asked.model)
        try:
            await self.store.do(work)
        except StoreDownError:
            if self._required:
                raise errors.no_state() from None
        return record_id

    async def finish(self, record_id: str, key: Key, values: dict[str, Any], tokens: int) -> bool:
        """False when the store went away meanwhile. The tokens are booked when it is back."""
        owed = self._unbooked.pop(key.id, 0) + tokens
        try:
            await self.store.do(records.finish(record_id, key, values, owed))
        except StoreDownError:
            self._unbooked[key.id] += owed
            return False
        return True

    async def is_there(self) -> bool:
        try:
            await self.store.do(records.ping)
        except StoreDownError:
            return False
        return True

    async def _needed(self, work: Work[T]) -> T:
        try:
            return await self.store.do(work)
        except StoreDownError:
            raise errors.no_state() from None
