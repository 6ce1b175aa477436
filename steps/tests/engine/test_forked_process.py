"""Forked instances behave as processes that were started one by one."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import pytest

from rollout_conformance.steps.engine import targets
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.forked_process import FORK_SERVERS, ForkServerClient, forkable
from rollout_conformance.steps.engine.targets import Target

MODULE = "rollout_conformance.rollout_server.rollout.app"
APP = "app:rollout_server.rollout.app:create_app"
BOUND_S = 60.0
pytestmark = pytest.mark.skipif(not forkable(MODULE), reason="instances are forked on Linux alone")


def test_only_modules_of_this_package_are_forked() -> None:
    """A user's module may read its environment when it is imported, which here comes after."""
    assert [forkable(module) for module in (MODULE, "my_server.app", "rollout_conformance_of_mine")] == [
        True,
        False,
        False,
    ]


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def status(target: Target) -> tuple[int, int]:
    """Its parent's pid, and what it answers to a request without a key."""
    assert target.process is not None
    async with httpx.AsyncClient() as client:
        reply = await client.get(f"{target.base_url}/rollout/unknown/status")
    return parent(target.process.pid), reply.status_code


async def at_once(*environments: dict[str, str]) -> list[tuple[int, int]]:
    ready = asyncio.Barrier(len(environments))

    async def one(env: dict[str, str]) -> tuple[int, int]:
        async with targets.running(APP, env) as target:
            async with asyncio.timeout(BOUND_S):
                await ready.wait()
            return await status(target)

    return await asyncio.gather(*map(one, environments))


def test_each_instance_has_its_own_environment() -> None:
    found = asyncio.run(at_once({}, {"ROLLOUT_SERVER_KEY": "key-of-a-test"}, {}))
    assert [code for _, code in found] == [404, 401, 404]
    assert len({forked_by for forked_by, _ in found}) == 1
    assert found[0][0] != os.getpid()


def test_one_that_cannot_start_says_why() -> None:
    async def start() -> None:
        async with targets.running(APP, {"ROLLOUT_TIMEOUT_S": "many"}):
            pass

    with pytest.raises(SuiteError, match=r"(?s)ended with code \d+ before it answered.*ROLLOUT_TIMEOUT_S"):
        asyncio.run(start())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_its_end_is_noticed(number: int, code: int) -> None:
    async def end() -> int | None:
        async with targets.running(APP) as target:
            assert target.process is not None
            target.process.signal(number)
            async with asyncio.timeout(BOUND_S):
                await target.process.wait()
            return target.process.returncode

    # uvicorn raises the signal again once it has shut down, so that its parent sees what ended it
    assert asyncio.run(end()) in (code, -number)


def test_an_instance_that_ends_at_once(tmp_path: Path) -> None:
    async def code(client: ForkServerClient) -> int | None:
        with (tmp_path / "log").open("w+b") as output:
            process = await client.start(MODULE, ["--help"], {}, output)
        async with asyncio.timeout(BOUND_S):
            await process.wait()
        return process.returncode

    client = ForkServerClient()
    try:
        assert asyncio.run(code(client)) == 0
    finally:
        client.close()
    assert "Usage: uvicorn" in (tmp_path / "log").read_text()


def test_with_a_fork_server_that_somebody_killed_its_instances_end_and_the_next_has_another() -> None:
    async def twice() -> int | None:
        async with targets.running(APP) as target:
            assert target.process is not None
            FORK_SERVERS.client().popen.kill()
            async with asyncio.timeout(BOUND_S):
                await target.process.wait()
        async with targets.running(APP) as other:
            assert (await status(other))[1] == 404
        return target.process.returncode

    assert asyncio.run(twice()) == -signal.SIGKILL


def test_a_start_at_a_fork_server_that_has_just_died_is_refused_at_once() -> None:
    """Its process may still be there when its pipe is closed: what is asked then was never answered."""

    async def start(client: ForkServerClient) -> None:
        with tempfile.NamedTemporaryFile() as output:
            async with asyncio.timeout(BOUND_S):
                await client.start(MODULE, ["--help"], {}, output)

    client = ForkServerClient()
    client._has_died()
    try:
        assert not client.lives
        with pytest.raises(OSError, match="has ended"):
            asyncio.run(start(client))
    finally:
        client.close()


SUITE = f"""
import asyncio
from rollout_conformance.steps.engine import targets
async def main():
    async with targets.running({APP!r}) as target:
        print(target.process.pid, flush=True)
        await asyncio.sleep(1000)
asyncio.run(main())
"""


def test_instances_end_with_a_suite_that_is_killed() -> None:
    suite = subprocess.Popen([sys.executable, "-c", SUITE], stdout=subprocess.PIPE)  # noqa: S603 - our own script
    assert suite.stdout is not None
    with suite.stdout:
        pid = int(suite.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        suite.kill()
        suite.wait()
    end = time.monotonic() + BOUND_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


def test_no_instance_is_left_by_a_suite_that_ended_before_it_was_told_of_it(tmp_path: Path) -> None:
    """Its fork server reads the request when nobody reads what it tells any more."""
    mark = {"MARK_OF_THIS_TEST": str(tmp_path)}
    request = {
        "module": MODULE,
        "arguments": ["rollout_conformance.rollout_server.app:create_app", "--factory", "--port", "0"],
        "environment": dict(os.environ),
        "folder": str(tmp_path),
        "log": str(tmp_path / "log"),
    }
    words = [sys.executable, "-m", "rollout_conformance.steps.engine.fork_server"]
    server = subprocess.Popen(  # noqa: S603
        words, env=os.environ | mark, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdout.close()
    server.stdin.write(json.dumps(request).encode() + b"\n")
    server.stdin.close()
    server.wait(BOUND_S)
    time.sleep(1)  # an instance that is to be ended has until then
    assert _with(str(tmp_path).encode()) == []


def _with(mark: bytes) -> list[str]:
    """The processes that have this in the environment that they were started with; what is forked has that of its parent."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes():
                found.append(folder.name)
    return found
