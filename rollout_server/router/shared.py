"""What the processes of a router agree on at any moment: limits, spending, health of the backends, and who has which prefix.

Each class takes the place of one that keeps the same in the memory of one process.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from rollout_conformance.rollout_server.common.workers.group import Group
from rollout_conformance.rollout_server.common.workers.shared_state import SharedState
from rollout_conformance.rollout_server.router import backend_pool, errors, rate_limit
from rollout_conformance.rollout_server.router.affinity import Affinity, Boundary, to_remember
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.app_state import AppState, of_the_process
from rollout_conformance.rollout_server.router.backend_pool import Backend, BackendPool
from rollout_conformance.rollout_server.router.key_store import CachedKey, KeyStore
from rollout_conformance.rollout_server.router.rate_limit import Bucket, LimitState
from rollout_conformance.rollout_server.router.settings import Settings
from rollout_conformance.rollout_server.router.tables import Work
from rollout_conformance.rollout_server.router.write_buffer import Row

T = TypeVar("T")

TABLES = """
CREATE TABLE IF NOT EXISTS running (worker INTEGER, backend TEXT, requests INTEGER NOT NULL, PRIMARY KEY (worker, backend));
CREATE TABLE IF NOT EXISTS buckets (key TEXT PRIMARY KEY, rps REAL, burst INTEGER, level REAL, at REAL);
CREATE TABLE IF NOT EXISTS spent (key TEXT PRIMARY KEY, tokens INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS backends (name TEXT PRIMARY KEY, up INTEGER, failures INTEGER, degraded INTEGER, reason TEXT);
CREATE TABLE IF NOT EXISTS prefixes (hash BLOB PRIMARY KEY, backend TEXT NOT NULL, used REAL NOT NULL);
CREATE INDEX IF NOT EXISTS prefixes_used ON prefixes (used);
CREATE TABLE IF NOT EXISTS changes (what TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
ALL = ""  # the name under which requests of any backend are counted


class Running:
    """How many requests run, of the router and on each backend, in all processes."""

    def __init__(self, state: SharedState, worker: int) -> None:
        self.state = state
        self._worker = worker
        state.write("DELETE FROM running WHERE worker = ?", worker)  # those of a process that was killed

    def count(self, backend: str = ALL) -> int:
        return int(self.state.one("SELECT coalesce(sum(requests), 0) FROM running WHERE backend = ?", backend))

    def enter(self, limit: int) -> bool:
        """Whether one more request is below the limit; then it is counted."""
        with self.state.transaction():
            is_free = self.count() < limit
            if is_free:
                self._change(ALL, 1)
        return is_free

    def leave(self) -> None:
        self.change(ALL, -1)

    def change(self, backend: str, by: int) -> None:
        with self.state.transaction():
            self._change(backend, by)

    def _change(self, backend: str, by: int) -> None:
        self.state.execute(
            "INSERT INTO running VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET requests = requests + excluded.requests",
            self._worker,
            backend,
            by,
        )


@dataclass(slots=True)
class SharedBucket:
    """The bucket of one key, as the last request of any process left it."""

    state: SharedState
    name: str
    fresh: Bucket

    def take(self, now: float) -> LimitState:
        with self.state.transaction():
            bucket = self._bucket()
            taken = bucket.take(now)
            values = (self.name, bucket.rps, bucket.burst, bucket.level, bucket.at)
            self.state.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?, ?, ?)", *values)
        return taken

    def peek(self, now: float) -> LimitState:
        return self._bucket().peek(now)

    def _bucket(self) -> Bucket:
        """A bucket with other limits than those of the key now is of no use."""
        found = self.state.all("SELECT rps, burst, level, at FROM buckets WHERE key = ?", (self.name,))
        known = Bucket(*found[0]) if found else None
        fresh = self.fresh
        return known if known is not None and (known.rps, known.burst) == (fresh.rps, fresh.burst) else replace(fresh)


class SharedLimiter(rate_limit.RateLimiter):
    def __init__(self, state: SharedState) -> None:
        super().__init__()
        self._state = state

    def of(self, name: str, rps: float, burst: int | None, now: float) -> Any:
        return SharedBucket(self._state, name, rate_limit.full(rps, burst, now))


class SharedAffinity(Affinity):
    def __init__(self, limit: int, state: SharedState) -> None:
        super().__init__(limit)
        self._state = state

    def find(self, known: Sequence[Boundary]) -> str | None:
        for one in reversed(known):
            backend = self._state.one("SELECT backend FROM prefixes WHERE hash = ?", one.hash)
            if backend is not None:
                self._state.write("UPDATE prefixes SET used = ? WHERE hash = ?", time.monotonic(), one.hash)
                return str(backend)
        return None

    def remember(self, conversation: Sequence[Boundary], backend: str) -> None:
        with self._state.transaction() as db:
            for one in to_remember(conversation):
                values = (one.hash, backend, time.monotonic())
                db.execute("INSERT OR REPLACE INTO prefixes VALUES (?, ?, ?)", values)
            (known,) = db.execute("SELECT count(*) FROM prefixes").fetchone()
            if known > self._limit:
                oldest = "SELECT hash FROM prefixes ORDER BY used LIMIT ?"
                db.execute(f"DELETE FROM prefixes WHERE hash IN ({oldest})", (known - self._limit,))  # noqa: S608


@dataclass(eq=False, slots=True)
class SharedBackend(Backend):
    everywhere: Running | None = None

    def begin(self) -> None:
        Backend.begin(self)
        assert self.everywhere is not None
        self.everywhere.change(self.name, 1)

    def end(self) -> None:
        Backend.end(self)
        assert self.everywhere is not None
        self.everywhere.change(self.name, -1)

    @property
    def load(self) -> int:
        assert self.everywhere is not None
        return self.everywhere.count(self.name)


@dataclass(slots=True)
class SharedPool(BackendPool):
    """The health of a backend as the latest request or probe of any process found it. A backend keeps its row as soon as there is one."""

    state: SharedState | None = None

    def refresh(self) -> None:
        assert self.state is not None
        for name, up, failures, degraded, reason in self.state.all("SELECT * FROM backends"):
            if backend := self.by_name.get(name):
                backend.up = None if up is None else bool(up)
                backend.failures, backend.degraded, backend.reason = failures, bool(degraded), reason

    def degrade(self, name: str, reason: str | None) -> Backend:
        return self._changed(lambda: BackendPool.degrade(self, name, reason))

    def heal(self, name: str) -> Backend:
        return self._changed(lambda: BackendPool.heal(self, name))

    def answered(self, backend: Backend) -> None:
        self.refresh()
        if not backend.up or backend.failures:
            self._changed(lambda: BackendPool.answered(self, backend))

    def failed(self, backend: Backend, unreachable: bool) -> None:
        self._changed(lambda: BackendPool.failed(self, backend, unreachable))

    def _changed(self, change: Callable[[], T]) -> T:
        assert self.state is not None
        with self.state.transaction() as db:
            self.refresh()
            result = change()
            for one in self.backends:
                row = (one.name, one.up, one.failures, one.degraded, one.reason)
                db.execute("INSERT OR REPLACE INTO backends VALUES (?, ?, ?, ?, ?)", row)
        return result


class SharedKeyStore(KeyStore):
    """Spending counts in all processes at once, and a revocation holds in all of them when it is answered.

    The number in the shared state is what was spent when the key was first read, and all that this router spent since; other routers
    with the same store add theirs with each read.
    """

    def __init__(self, settings: Settings, state: SharedState) -> None:
        super().__init__(settings)
        self._state = state
        self._changes = 0

    async def key(self, hashed: str) -> Key | None:
        changes = int(self._state.one("SELECT count FROM changes WHERE what = 'keys'") or 0)
        if changes != self._changes:
            self._changes = changes
            self._known = {name: replace(known, until=0.0) for name, known in self._known.items()}
        return await super().key(hashed)

    def _current(self, known: CachedKey) -> Key:
        key = known.key
        if key.budget_tokens is None:
            return key
        return replace(key, spent_tokens=int(self._state.one("SELECT tokens FROM spent WHERE key = ?", key.id) or 0))

    def _find_key(self, hashed: str) -> Work[CachedKey | None]:
        find = super()._find_key(hashed)

        async def work(connection: Any) -> CachedKey | None:
            found = await find(connection)
            if found is not None and found.key.budget_tokens is not None:
                self._state.write(
                    "INSERT INTO spent VALUES (?, ?) ON CONFLICT DO UPDATE SET tokens = max(tokens, excluded.tokens)",
                    found.key.id,
                    found.key.spent_tokens,
                )
            return found

        return work

    async def keys(self) -> Sequence[Key]:
        return [self._current(CachedKey(key)) if self._is_counted(key) else key for key in await super().keys()]

    def _is_counted(self, key: Key) -> bool:
        return self._state.one("SELECT tokens FROM spent WHERE key = ?", key.id) is not None

    async def revoke(self, key_id: str) -> None:
        await super().revoke(key_id)
        self._state.write("INSERT INTO changes VALUES ('keys', 1) ON CONFLICT DO UPDATE SET count = count + 1")

    def finish(self, row: Row | None, key: Key, values: dict[str, Any], tokens: int) -> None:
        if tokens and key.budget_tokens is not None:
            self._state.write("UPDATE spent SET tokens = tokens + ? WHERE key = ?", tokens, key.id)
        super().finish(row, key, values, tokens)


def create_state(settings: Settings, group: Group) -> AppState:
    state = SharedState(group.folder, TABLES)
    everywhere = Running(state, group.index)
    backends = [backend_pool.create(spec, partial(SharedBackend, everywhere=everywhere)) for spec in settings.backends]
    return SharedAppState(
        pool=SharedPool(backends, probes=settings.health_interval_s > 0, state=state),
        key_store=SharedKeyStore(settings, state),
        affinity=SharedAffinity(settings.affinity_entries, state),
        rate_limiter=SharedLimiter(state),
        everywhere=everywhere,
        **of_the_process(settings),
    )


@dataclass(slots=True)
class SharedAppState(AppState):
    everywhere: Running = field(kw_only=True)

    def enter(self) -> None:
        if self.stopping:
            raise errors.stopping()
        if not self.everywhere.enter(self.settings.max_concurrent):
            raise errors.overloaded()
        self.running += 1

    def leave(self) -> None:
        self.everywhere.leave()
        self.running -= 1

    def close(self) -> None:
        self.everywhere.state.close()

    @property
    def load(self) -> int:
        return self.everywhere.count()
