"""All processes of a group in this one, each with the sockets of its own: a test chooses which of them it asks."""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import uvicorn
from starlette.types import ASGIApp

from rollout_conformance.rollout_server.common.workers.group import Group
from rollout_conformance.rollout_server.common.workers.supervisor import private_listener
from rollout_conformance.rollout_server.tests.rollout.support import DEADLINE_S
from rollout_conformance.rollout_server.tests.router.support import Quick, close_connections
from rollout_conformance.rollout_server.tests.tls import WITHOUT_CERTIFICATES


@contextlib.asynccontextmanager
async def group(create: Callable[[Group], ASGIApp], count: int = 2) -> AsyncIterator[list[httpx.AsyncClient]]:
    """One client for each process."""
    with tempfile.TemporaryDirectory() as name:
        async with contextlib.AsyncExitStack() as stack:
            members = [Group(Path(name), count, index) for index in range(count)]
            apps = [create(member) for member in members]
            yield [await stack.enter_async_context(process(*one)) for one in zip(apps, members, strict=True)]


@contextlib.asynccontextmanager
async def process(app: ASGIApp, member: Group) -> AsyncIterator[httpx.AsyncClient]:
    server = Quick(uvicorn.Config(app, log_level="critical", lifespan="on", timeout_graceful_shutdown=1))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as port, private_listener(member) as own:
        port.bind(("127.0.0.1", 0))
        port.listen(64)
        serving = asyncio.create_task(server.serve(sockets=[port, own]))
        while not server.started:
            await asyncio.sleep(0)
        address = f"http://127.0.0.1:{port.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(
                base_url=address, verify=WITHOUT_CERTIFICATES, trust_env=False, timeout=DEADLINE_S
            ) as client:
                yield client
        finally:
            server.should_exit = True
            await serving
            await close_connections(server)


def names_of(index: int, count: int = 2, many: int = 1) -> list[str]:
    """Ids that belong to the process with this index."""
    member = Group(Path(), count, index)
    return [name for name in (f"r-{number}" for number in range(100)) if member.is_own(name)][:many]
