"""How the system under test is reached: a URL, or a process that the suite starts and ends.

A started target owns its process group, so that ending it ends whatever it started itself; nothing else is ever touched.
"""

import asyncio
import contextlib
import shlex
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from rollout_conformance.steps.engine import http_client, starting
from rollout_conformance.steps.engine.early_end import ENDING
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.forked_process import FORK_SERVERS, forkable
from rollout_conformance.steps.engine.port_claims import claimed_port
from rollout_conformance.steps.engine.port_claims import free_port as free_port
from rollout_conformance.steps.engine.process import Process
from rollout_conformance.steps.engine.process_guard import GUARD
from rollout_conformance.steps.engine.redaction import scrubbed
from rollout_conformance.steps.engine.starting import NotUsable
from rollout_conformance.steps.engine.target_spec import UVICORN, about_early_end, about_no_program, about_silence
from rollout_conformance.steps.engine.target_spec import command as command

READY_S = 30.0  # a cold interpreter on a busy machine; a target that exits is noticed at once
LAST_LINES, LINE_LENGTH = 8, 300  # of what a target wrote, in a message; the bytes before them are not read
TAIL_BYTES = 16 * 1024
FIRST_ANSWER_S = 10.0  # a server that is there answers within this, on a busy machine too
END_NOTED_S = 0.5  # after the connections of a process, its end is noted within this
GRACE_S = 15.0  # how long a target may take to end after SIGTERM before it is killed


class StartError(SuiteError):
    """A command that became no target. `words` are the command, `log` is what it wrote."""

    def __init__(self, message: str, words: Sequence[str], log: str = "") -> None:
        super().__init__(message)
        self.words, self.log = tuple(words), log


class NotStartedError(StartError):
    """There is no such program, or it cannot be executed."""


class EndedEarlyError(StartError):
    """It ended before it answered."""


class NotReadyError(StartError):
    """It did not answer in time."""


@dataclass(slots=True)
class Target:
    """A running target. `log` is what a started one wrote; empty for a URL. `killed` is whether it outlived its SIGTERM by
    `GRACE_S`, `ended_before` whether it had ended by itself when it was stopped."""

    base_url: str
    process: Process | None = None
    log_file: IO[bytes] | None = None
    stopped: bool = field(default=False)
    last_log: bytes = b""
    killed: bool = False
    ended_before: bool = False

    @property
    def is_over(self) -> bool:
        """Whether its process has ended by itself; False of a URL."""
        ended = self.process is not None and self.process.returncode is not None
        return ended and (not self.stopped or self.ended_before)

    def log(self, since: int = 0) -> str:
        """What it wrote, from the byte `since` on."""
        return self._written(since).decode("utf-8", "replace")

    def log_size(self) -> int:
        """In bytes."""
        return len(self.last_log) if self.log_file is None else Path(self.log_file.name).stat().st_size

    def _written(self, since: int) -> bytes:
        if self.log_file is None:
            return self.last_log[since:]
        with Path(self.log_file.name).open("rb") as file:
            file.seek(since)
            return file.read()

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """SIGTERM to the process group, SIGKILL after a grace. Does nothing to a URL or a second time."""
        if self.process is None or self.stopped:
            return
        self.stopped, self.ended_before = True, self.process.returncode is not None
        self.process.signal(signal.SIGTERM)
        if ENDING.reason is not None:
            GUARD.signal_all(signal.SIGTERM)  # so that none waits for the others
        try:
            async with asyncio.timeout(ENDING.grace(grace_s)):
                await self.process.wait()
        except TimeoutError:
            self.killed = True
        finally:
            await self.process.kill()


@contextlib.asynccontextmanager
async def running(
    spec: str,
    env: Mapping[str, str] | None = None,
    ready_s: float = READY_S,
    keep_log: Path | None = None,
    is_ready: Callable[[int], bool] = lambda status: True,
) -> AsyncIterator[Target]:
    """The target while it runs. A URL is taken as it is; a command is started, waited for, and ended.

    It is waited for until `GET /health` has a status that `is_ready`, by default any. What it writes goes to `keep_log`, which stays, or
    to a file that goes with it. Raises `StartError`.
    """
    with claimed_port() as port, _log(keep_log) as log:
        words = command(spec, port)
        if words is None:
            yield Target(spec.rstrip("/"))
            return
        process = await _start(words, env, log)
        target = Target(f"http://127.0.0.1:{port}", process, log)
        try:
            await _ready(target, words, ready_s, is_ready)
            yield target
        finally:
            await asyncio.shield(target.stop())
            target.last_log, target.log_file = target._written(0), None


def _log(keep: Path | None) -> contextlib.AbstractContextManager[IO[bytes]]:
    return keep.open("w+b") if keep else tempfile.NamedTemporaryFile(prefix="rollout-conformance-", suffix=".log")


async def _start(words: list[str], env: Mapping[str, str] | None, log: IO[bytes]) -> Process:
    try:
        if words[:3] == UVICORN and forkable(words[3]):
            return await FORK_SERVERS.client().start(words[3].partition(":")[0], words[3:], env or {}, log)
        return Process.start(words, env or {}, log)
    except OSError as error:
        told = f"--target: cannot start {words[0]!r}: {error.strerror}.{about_no_program(words)}"
        raise NotStartedError(told, words) from error


async def _ready(target: Target, words: list[str], ready_s: float, is_ready: Callable[[int], bool]) -> None:
    """Wait until the target answers over HTTP with a status that is ready."""
    assert target.process is not None
    loop = asyncio.get_running_loop()
    end = loop.time() + ready_s
    seen = ""
    async with http_client.client() as client:
        while loop.time() < end:
            if target.process.returncode is not None:
                raise EndedEarlyError(_died(target, words), words, target.log())
            try:
                async with asyncio.timeout(FIRST_ANSWER_S), client.stream("GET", f"{target.base_url}/health") as reply:
                    if is_ready(reply.status_code):
                        return
                    seen = f": GET /health is {reply.status_code}"
            except TimeoutError:
                seen = ": it accepts connections and is silent"
            except (httpx.HTTPError, OSError) as error:
                seen = f": {http_client.transport_fault(error)}"
            await asyncio.sleep(0.02)
    advice = about_silence(target.process.pid, httpx.URL(target.base_url).port or 0)
    told = f"--target: {shlex.join(words)} did not answer on {target.base_url} within {ready_s:g} s{seen}.{advice}"
    raise NotReadyError(f"{told}{_tail(target)}", words, target.log())


def _died(target: Target, words: list[str]) -> str:
    code = target.process.returncode if target.process else None
    told = f"--target: {shlex.join(words)} ended with code {code} before it answered.{about_early_end(words, code)}"
    return f"{told}{_tail(target)}"


def _tail(target: Target) -> str:
    """The last lines of the log, each shortened and without secrets; lines of spaces say nothing."""
    text = target.log(max(0, target.log_size() - TAIL_BYTES))
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][-LAST_LINES:]
    shown = [
        line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]}..."
        for line in str(scrubbed("\n".join(lines))).splitlines()
    ]
    return "\nIts last words:\n  " + "\n  ".join(shown) if shown else " It wrote nothing."


async def has_ended(target: Target, within_s: float = END_NOTED_S) -> bool:
    """Whether the process of a target has ended by itself, or does so in a moment; False of a URL."""
    if target.process is None or (target.stopped and not target.ended_before):
        return False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await target.process.wait()
    return target.is_over


async def about_end(target: Target, within_s: float = END_NOTED_S) -> str:
    """How a target ended that the suite started, with the last line that it wrote; empty while it runs, and of a URL."""
    if not await has_ended(target, within_s) or target.process is None:
        return ""
    lines = [line.strip() for line in target.log(max(0, target.log_size() - TAIL_BYTES)).splitlines() if line.strip()]
    wrote = f"; the last line that it wrote: {str(scrubbed(lines[-1]))[:LINE_LENGTH]}" if lines else ""
    return f". Its process ended with code {target.process.returncode}{wrote}"


def with_log(error: NotUsable, target: Target) -> NotUsable:
    """The same error; of a target that the suite started and that failed by itself, with the end of its log."""
    if not error.broken or target.process is None:
        return error
    return NotUsable(f"{error}{_tail(target)}", starting=error.starting, broken=True)


async def within(wait_s: float, base_url: str, headers: Mapping[str, str] | None = None, path: str = "/health") -> None:
    """Wait until the target is reachable and its health check does not say that it is still starting, at most `wait_s` seconds. Raises as
    `reachable` does; what a health check says in the end is for the greeting to confirm."""
    deadline = time.monotonic() + wait_s

    async def look() -> None:
        status = await reachable(base_url, headers, path)
        if status in starting.STATUSES and time.monotonic() < deadline:
            raise NotUsable(f"{base_url} answers GET {path} with {status}.")

    await starting.waited_for(look, wait_s)


async def reachable(base_url: str, headers: Mapping[str, str] | None = None, path: str = "/health") -> int:
    """The status of `path`. Raises `NotUsable` when nothing answers HTTP at `base_url`: at once when nothing listens, else after as long as
    a busy server may take."""
    status: int | None = None
    try:
        async with (
            http_client.client(headers=headers) as client,
            asyncio.timeout(FIRST_ANSWER_S),
            client.stream("GET", f"{base_url}{path}") as reply,
        ):
            status = reply.status_code
            await http_client.whole(reply)
    except TimeoutError as error:
        seen = (
            f"does not answer GET {path} within {FIRST_ANSWER_S:g} s"
            if status is None
            else f"answers GET {path} with {status} and no end of body"
        )
        raise NotUsable(f"{base_url} accepts connections but {seen}. Is it the right port?") from error
    except http_client.TooLarge as error:
        raise NotUsable(f"{base_url}{path} answers with {error}. This does not look like a health check.") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NotUsable(_unreachable(base_url, http_client.transport_fault(error))) from error
    # An error page says nothing: servers without /health answer it with one, as gateways answer what they redirect or refuse.
    if reply.is_success and "html" in reply.headers.get("content-type", ""):
        raise NotUsable(f"{base_url}{path} answers HTML ({reply.status_code}). This looks like a web page, not an API.")
    return reply.status_code


def _unreachable(base_url: str, fault: str) -> str:
    if fault.startswith("does not speak HTTP"):
        return f"{base_url} {fault}. Is it the right port, and http or https as the server has it?"
    return f"{base_url} does not answer HTTP: {fault}. Is the server running there?"
