"""The state store on SQLite or PostgreSQL: one transaction at a time for all that wait. It may fail and recover."""

import asyncio
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import AsyncAdaptedQueuePool, Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from rollout_conformance.rollout_server.common.settings import SettingsError
from rollout_conformance.rollout_server.router import sql, tables
from rollout_conformance.rollout_server.router.tables import Work
from rollout_conformance.rollout_server.router.write_buffer import WriteBuffer

T = TypeVar("T")

MOST_TOGETHER = 64  # works in one transaction


class StoreDownError(Exception):
    """Nothing was read or written."""


class Store:
    """`prepare` fills the tables at the first connection and after each recovery. Every transaction first writes the
    buffer, so a read finds everything that was done before."""

    def __init__(self, url: str | None, timeout_s: float, prepare: Work[None], buffer: WriteBuffer) -> None:
        self._own = Path(tempfile.gettempdir()) / f"router-{uuid.uuid4().hex}" if url is None else None
        self._url = parse_url(url) if url else URL.create("sqlite+aiosqlite", database=f"{self._own}/state.db")
        self._missing = self._own  # a folder that is created once: when it is removed, the store is lost
        self._timeout_s = timeout_s
        self._prepare = prepare
        self._book = buffer
        self._ready = False
        self._file: tuple[int, int] | None = None
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._engine = create_engine(self._url)
        self._path = file_of(self._url)

    def is_available(self) -> bool:
        """As far as known without a query: the last transaction succeeded, and a file is still the same."""
        return self._ready and self._file == identity(self._path)

    async def do(self, work: Work[T]) -> T:
        """The result of `work` in a transaction. It is finished even when the caller is cancelled meanwhile.

        What arrives during a transaction shares the next one: a commit costs more than a statement.
        """
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        result.add_done_callback(retrieve_exception)
        self._waiting.append((work, result))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await asyncio.shield(result)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            try:
                results = await self._transaction([work for work, _ in batch])
            except StoreDownError as error:
                await self._one_by_one(batch, error)
            else:
                for (_, waiting), result in zip(batch, results, strict=True):
                    waiting.set_result(result)

    async def _one_by_one(self, batch: list[tuple[Work[Any], "asyncio.Future[Any]"]], error: StoreDownError) -> None:
        """A failed batch is tried one by one, so that one failing statement fails for one caller only."""
        for work, waiting in batch:
            if len(batch) == 1:
                waiting.set_exception(error)
                continue
            try:
                waiting.set_result((await self._transaction([work]))[0])
            except StoreDownError as own:
                waiting.set_exception(own)

    async def _transaction(self, works: list[Work[Any]]) -> list[Any]:
        batch = self._book.take()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._check_file()
                async with self._engine.begin() as connection:
                    if not self._ready:
                        await connection.run_sync(tables.create)
                        await self._prepare(connection)
                    await sql.write(batch)(connection)
                    results = [await work(connection) for work in works]
        except Exception as error:
            # Any exception: drivers raise their own, SQLAlchemy wraps only some, and every caller needs a result.
            self._book.restore(batch)
            self._ready = False
            raise StoreDownError(type(error).__name__) from None
        self._ready = True
        self._file = identity(self._path)
        return results

    async def _check_file(self) -> None:
        """SQLite continues to write into a file that was removed. Here the store then counts as lost."""
        if self._file is not None and self._file != identity(self._path):
            self._file, self._ready = None, False
            await self._engine.dispose()
        if self._missing is not None:
            self._missing.mkdir(mode=0o700)
            self._missing = None

    async def close(self) -> None:
        if self._writer is not None:
            await asyncio.gather(self._writer, return_exceptions=True)
        await self._engine.dispose()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)


def retrieve_exception(result: "asyncio.Future[Any]") -> None:
    """Marks an exception as retrieved: the caller may have been cancelled."""
    if not result.cancelled():
        result.exception()


def parse_url(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise SettingsError("ROUTER_STATE: not a URL of SQLAlchemy") from None


def create_engine(url: URL) -> AsyncEngine:
    try:
        if not is_sqlite(url):
            return create_async_engine(url, pool_pre_ping=True, pool_size=1, max_overflow=0)
        # One connection: SQLite writes one transaction at a time anyway, and a database in memory lives in its connection.
        engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0)
        event.listen(engine.sync_engine, "connect", use_write_ahead_log)
        event.listen(engine.sync_engine, "begin", begin_to_write)
        return engine
    except (SQLAlchemyError, NoSuchModuleError, ImportError) as error:
        raise SettingsError(f"ROUTER_STATE: no driver for it ({type(error).__name__})") from None


def is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def use_write_ahead_log(connection: Any, _: Any) -> None:
    """A write-ahead log: a transaction does not wait for the disk, and the file survives a crash."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
    connection.isolation_level = None  # transactions begin below, not where the driver thinks so


def begin_to_write(connection: Connection) -> None:
    """Another process that has the file waits, instead of failing where it writes what it has read."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def file_of(url: URL) -> str | None:
    return url.database if is_sqlite(url) and url.database != ":memory:" else None


def identity(path: str | None) -> tuple[int, int] | None:
    if not path:
        return None
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)  # no file has these
    return (found.st_dev, found.st_ino)
