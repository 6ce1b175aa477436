"""A state store that can be taken away: the folder of a file, or the way to a server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from rollout_conformance.rollout_server.tests.router.support import STATE, Caller

Act = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Removable:
    url: str
    take_away: Act
    restore: Act


@contextlib.asynccontextmanager
async def removable(folder: Path) -> AsyncIterator[Removable]:
    if STATE is None or STATE.startswith("sqlite"):
        yield of_folder(folder)
    else:
        async with way_to(make_url(STATE)) as one:
            yield one


def of_folder(parent: Path) -> Removable:
    folder, away = parent / "state", parent / "away"
    folder.mkdir()

    async def take_away() -> None:
        folder.rename(away)

    async def restore() -> None:
        away.rename(folder)

    return Removable(f"sqlite+aiosqlite:///{folder}/state.db", take_away, restore)


@contextlib.asynccontextmanager
async def way_to(url: URL) -> AsyncIterator[Removable]:
    """A relay on a port of its own. While it is away, what was connected is cut and nobody can connect."""
    ways: list[asyncio.StreamWriter] = []

    async def merged_choice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(url.host, url.port or 5432)
        ways.extend((writer, far_writer))
        await asyncio.gather(copied(reader, far_writer), copied(far_reader, writer))

    server = await asyncio.start_server(merged_choice, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def take_away() -> None:
        server.close()
        for way in ways:
            way.transport.abort()
        ways.clear()

    async def restore() -> None:
        nonlocal server
        server = await asyncio.start_server(merged_choice, "127.0.0.1", port)

    yield Removable(url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False), take_away, restore)
    await take_away()


async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def noticed(c: Caller) -> None:
    """A file that has gone is missed at once, a server by the next transaction, which asking for readiness is."""
    await c.get("/v1/status/readyz")
