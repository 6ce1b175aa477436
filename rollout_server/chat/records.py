"""The statements of the state store: keys, what they spent, and the record of each request."""

import time
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rollout_server.chat import keys, tables
from rollout_server.chat.keys import Key
from rollout_server.chat.store import Work


def seed(rows: Sequence[dict[str, Any]]) -> Work[None]:
    """Configured keys. Their limits follow the configuration; what they spent, and that they were revoked, stays."""

    async def work(connection: AsyncConnection) -> None:
        for row in rows:
            same = tables.keys.c.hash == row["hash"]
            known = (await connection.execute(select(tables.keys.c.id).where(same))).first()
            await connection.execute(
                update(tables.keys).where(same).values(**row) if known else insert(tables.keys).values(**row)
            )

    return work


def find_key(hashed: str) -> Work[Key | None]:
    async def work(connection: AsyncConnection) -> Key | None:
        found = (await connection.execute(select(tables.keys).where(tables.keys.c.hash == hashed))).mappings().first()
        return keys.from_row(dict(found)) if found else None

    return work


def all_keys() -> Work[list[Key]]:
    async def work(connection: AsyncConnection) -> list[Key]:
        found = (await connection.execute(select(tables.keys).order_by(tables.keys.c.id))).mappings()
        return [keys.from_row(dict(row)) for row in found]

    return work


def add_key(row: dict[str, Any]) -> Work[Key | None]:
    """None when there is one already."""

    async def work(connection: AsyncConnection) -> Key | None:
        known = await connection.execute(select(tables.keys.c.id).where(tables.keys.c.hash == row["hash"]))
        if known.first():
            return None
        await connection.execute(insert(tables.keys).values(**row))
        return keys.from_row(row)

    return work


def revoke_key(key_id: str) -> Work[bool]:
    async def work(connection: AsyncConnection) -> bool:
        changed = await connection.execute(
            update(tables.keys).where(tables.keys.c.id == key_id).values(revoked=True).returning(tables.keys.c.id)
        )
        return changed.first() is not None

    return work


def begin(key: Key, request_id: str, path: str, model: str) -> tuple[str, Work[None]]:
    record_id = str(uuid.uuid4())
    row = {"record_id": record_id, "request_id": request_id, "org": key.org, "key_id": key.id, "path": path}

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(tables.requests).values(**row, model=model[:256], created_at=time.time()))

    return record_id, work


def finish(record_id: str, key: Key, values: dict[str, Any], tokens: int) -> Work[None]:
    """The end of a record and the tokens of its key, both or neither."""

    async def work(connection: AsyncConnection) -> None:
        mine = tables.requests.c.record_id == record_id
        await connection.execute(update(tables.requests).where(mine).values(**values))
        if tokens:
            spent = tables.keys.c.spent_tokens + tokens
            await connection.execute(update(tables.keys).where(tables.keys.c.id == key.id).values(spent_tokens=spent))

    return work


def find_request(org: str, request_id: str) -> Work[dict[str, Any] | None]:
    """The latest of this organisation."""

    async def work(connection: AsyncConnection) -> dict[str, Any] | None:
        query = select(tables.requests).where(is_own(org), tables.requests.c.request_id == request_id)
        latest = query.order_by(tables.requests.c.created_at.desc()).limit(1)
        found = (await connection.execute(latest)).mappings().first()
        return dict(found) if found else None

    return work


def is_own(org: str) -> Any:
    return tables.requests.c.org == org


async def ping(connection: AsyncConnection) -> None:
    await connection.execute(select(1))
