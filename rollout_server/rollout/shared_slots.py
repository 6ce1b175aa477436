"""The slots of a rollout server that is several processes: its limits are those of all together, first come, first served."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rollout_conformance.rollout_server.common.workers.shared_state import SharedState
from rollout_conformance.rollout_server.rollout.concurrency import CapacityError, Slots

LOOK_S = 0.01  # how often processes whose rollouts wait look whether a slot was released elsewhere

TABLES = """
CREATE TABLE IF NOT EXISTS admitted (worker INTEGER PRIMARY KEY, rollouts INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS turns (ticket INTEGER PRIMARY KEY AUTOINCREMENT, worker INTEGER NOT NULL);
"""


class SharedSlots(Slots):
    """A rollout takes a ticket; the `running` smallest tickets have a slot. `running` counts those of this process."""

    def __init__(self, running: int, waiting: int, state: SharedState, worker: int) -> None:
        super().__init__(running, waiting)
        self._limit = running
        self._state = state
        self._worker = worker
        self._waiting: dict[int, asyncio.Event] = {}
        self._looking: asyncio.Task[None] | None = None
        with state.transaction() as db:  # what a process that was killed had
            db.execute("DELETE FROM admitted WHERE worker = ?", (worker,))
            db.execute("DELETE FROM turns WHERE worker = ?", (worker,))

    def admit(self) -> None:
        with self._state.transaction() as db:
            (admitted,) = db.execute("SELECT coalesce(sum(rollouts), 0) FROM admitted").fetchone()
            if admitted >= self.capacity:
                raise CapacityError
            self._count(1)
        self.admitted += 1

    def leave(self) -> None:
        with self._state.transaction():
            self._count(-1)
        self.admitted -= 1

    def close(self) -> None:
        self._state.close()

    def is_full(self) -> bool:
        return int(self._state.one("SELECT coalesce(sum(rollouts), 0) FROM admitted")) >= self.capacity

    def _count(self, change: int) -> None:
        self._state.execute(
            "INSERT INTO admitted VALUES (?, ?) ON CONFLICT (worker) DO UPDATE SET rollouts = rollouts + excluded.rollouts",
            self._worker,
            change,
        )

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        ticket = self._state.insert("INSERT INTO turns (worker) VALUES (?)", self._worker)
        try:
            await self._turn(ticket)
            self.running += 1
            try:
                yield
            finally:
                self.running -= 1
        finally:
            self._state.write("DELETE FROM turns WHERE ticket = ?", ticket)
            self._wake()

    async def _turn(self, ticket: int) -> None:
        if ticket <= self._last_turn():
            return
        waiting = self._waiting[ticket] = asyncio.Event()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        try:
            await waiting.wait()
        finally:
            self._waiting.pop(ticket, None)

    async def _look(self) -> None:
        while self._waiting:
            self._wake()
            await asyncio.sleep(LOOK_S)

    def _wake(self) -> None:
        if self._waiting:
            last = self._last_turn()
            for ticket in [ticket for ticket in self._waiting if ticket <= last]:
                self._waiting.pop(ticket).set()

    def _last_turn(self) -> float:
        """The largest ticket that has a slot."""
        found = self._state.one("SELECT ticket FROM turns ORDER BY ticket LIMIT 1 OFFSET ?", self._limit - 1)
        return math.inf if found is None else float(found)
