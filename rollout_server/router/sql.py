"""The SQL statements of the state store: keys, their spent tokens, and the record of each request."""

import time
import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from rollout_conformance.rollout_server.router import api_keys, tables
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.request_validation import InferenceRequest
from rollout_conformance.rollout_server.router.tables import Work
from rollout_conformance.rollout_server.router.write_buffer import Batch, Row


def seed(rows: Sequence[dict[str, Any]]) -> Work[None]:
    """Configured keys. Their limits follow the configuration; spent tokens and revocation are kept."""

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
        return api_keys.from_row(dict(found)) if found else None

    return work


def all_keys() -> Work[list[Key]]:
    async def work(connection: AsyncConnection) -> list[Key]:
        found = (await connection.execute(select(tables.keys).order_by(tables.keys.c.id))).mappings()
        return [api_keys.from_row(dict(row)) for row in found]

    return work


def add_key(row: dict[str, Any]) -> Work[Key | None]:
    """None when the key exists already."""

    async def work(connection: AsyncConnection) -> Key | None:
        known = await connection.execute(select(tables.keys.c.id).where(tables.keys.c.hash == row["hash"]))
        if known.first():
            return None
        await connection.execute(insert(tables.keys).values(**row))
        return api_keys.from_row(row)

    return work


def revoke_key(key_id: str) -> Work[bool]:
    async def work(connection: AsyncConnection) -> bool:
        changed = await connection.execute(
            update(tables.keys).where(tables.keys.c.id == key_id).values(revoked=True).returning(tables.keys.c.id)
        )
        return changed.first() is not None

    return work


def new_record(inference: InferenceRequest) -> Row:
    """The record of a running request."""
    return {
        **dict.fromkeys(c.name for c in tables.requests.columns),
        "record_id": str(uuid.uuid4()),
        "request_id": inference.request_id,
        "org": inference.key.org,
        "key_id": inference.key.id,
        "path": inference.path,
        "model": storable(inference.model)[:256],
        "created_at": time.time(),
        "trace_id": inference.trace.id if inference.trace else None,
    }


def storable(value: str) -> str:
    """Text without lone surrogates and without NUL, which PostgreSQL rejects."""
    return value.encode("utf-8", "replace").decode().replace("\0", "?")


def write(batch: Batch) -> Work[None]:
    """Records are written completely, so that a repeated write is harmless and the last version wins."""

    async def work(connection: AsyncConnection) -> None:
        if batch.rows:
            await connection.execute(upsert(connection.dialect.name), list(batch.rows.values()))
        if batch.unwritten:
            spent = [{"spender": key_id, "tokens": tokens} for key_id, tokens in sorted(batch.unwritten.items())]
            await connection.execute(SPEND, spent)

    return work


SPEND = (
    update(tables.keys)
    .where(tables.keys.c.id == bindparam("spender"))
    .values(spent_tokens=tables.keys.c.spent_tokens + bindparam("tokens"))
)


@cache
def upsert(dialect: str) -> Any:
    statement: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect](tables.requests)
    new = {c.name: statement.excluded[c.name] for c in tables.requests.columns if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=["record_id"], set_=new)


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
