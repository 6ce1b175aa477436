"""The tables of the state store. They hold no content of conversations, and of a key only its hash."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import BigInteger, Boolean, Column, Connection, Float, Integer, MetaData, String, Table, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]  # runs in a transaction
LOCK = 0x726F7574  # of PostgreSQL: "rout", the same number in every router

metadata = MetaData()

keys = Table(
    "router_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("org", String(128), nullable=False),
    Column("name", String(128)),
    Column("scopes", String(128), nullable=False),
    Column("rps", Float),
    Column("burst", Integer),
    Column("budget_tokens", BigInteger),
    Column("expires_at", Float),
    Column("spent_tokens", BigInteger, nullable=False, default=0),
    Column("revoked", Boolean, nullable=False, default=False),
)

requests = Table(
    "router_requests",
    metadata,
    Column("record_id", String(36), primary_key=True),
    Column("request_id", String(128), nullable=False, index=True),
    Column("org", String(128), nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("path", String(64), nullable=False),
    Column("model", String(256), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("backend", String(64)),
    Column("decision", String(16)),
    Column("status", Integer),  # None: running, or the router was killed
    Column("outcome", String(32)),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("latency_ms", Float),
    Column("trace_id", String(32)),
)


def create(connection: Connection) -> None:
    """Creates the tables, and adds columns to those of an earlier version. Routers that start together wait for each other."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    metadata.create_all(connection)
    for table in metadata.sorted_tables:
        known = {column["name"] for column in inspect(connection).get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                kind = column.type.compile(connection.dialect)
                connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"))
