"""How much of what others send is held in memory: a limit for one body, and room for all large ones of the process together.

A target that answers a gigabyte to everything is reported, and not paid for: what is beyond the limit is not read, large bodies are
read one after the other, and what was judged is cut to its ends.
"""

import asyncio
from typing import Any

from rollout_conformance.steps.engine.findings import SuiteError

MIB = 1 << 20
DEFAULT_MIB = 64
LARGE = MIB  # smaller bodies are not counted
SPARE = 32 * MIB  # beside a body of unknown length, which may become as large as the limit
WAIT_S = 20.0  # for room, before a case is called one that could not be judged
KEPT = 64 * 1024  # of a body beyond the limit, and of any other once its case was judged


class Cut(bytes):
    """A part of a body that is no whole: `why` says what is missing. It is never taken for JSON."""

    why: str

    def __new__(cls, data: Any, why: str) -> "Cut":
        made = super().__new__(cls, data)
        made.why = why
        return made


class _Room:
    """The process-wide account: the limit of one body, and what large bodies take, while they are read and as long as they are kept."""

    def __init__(self) -> None:
        self.limit = DEFAULT_MIB * MIB
        self.taken = 0

    async def take(self, size: int) -> None:
        """Wait until there is room. One alone always has it, so that every reading ends."""
        end = asyncio.get_running_loop().time() + WAIT_S
        while self.taken and self.taken + size > self.limit + SPARE:
            if asyncio.get_running_loop().time() > end:
                raise SuiteError(
                    f"the suite already holds {self.taken // MIB} MiB of large bodies and has no room for another one. "
                    "Run fewer cases at once (-j), or allow smaller bodies (--max-body)."
                )
            await asyncio.sleep(0.01)
        self.taken += size

    def give(self, size: int) -> None:
        self.taken -= size


ROOM = _Room()


class _Large(bytes):
    """A large body. It is counted as long as it is referenced."""

    def __new__(cls, data: Any) -> "_Large":
        made = super().__new__(cls, data)
        ROOM.taken += len(made)
        return made

    def __del__(self) -> None:
        ROOM.give(len(self))


def allow(mib: int | None) -> None:
    """From now on no body of more than so many MiB is read, in this process; None is the default."""
    ROOM.limit = (mib or DEFAULT_MIB) * MIB


def kept(data: bytes | bytearray) -> bytes:
    """The bytes of a body that was read, counted when they are many."""
    return _Large(data) if len(data) > LARGE else bytes(data)


def beyond() -> str:
    """What is wrong with a body that is larger than the limit."""
    return f"more than {ROOM.limit // MIB} MiB of body"


def ends(body: bytes, size: int = KEPT) -> bytes:
    """The body, or its two ends when it is longer than `size`."""
    if len(body) <= size:
        return body
    half = size // 2
    dropped = f" ... {len(body) - 2 * half} bytes left out ... ".encode()
    why = body.why if isinstance(body, Cut) else f"{len(body)} bytes, of which the middle was left out after judging"
    return Cut(body[:half] + dropped + body[-half:], why)


class Gauge:
    """Counts the bytes of one body while it is read. `declared` is the length that its header gives, if any."""

    def __init__(self, declared: int | None = None) -> None:
        self.seen, self._reserved = 0, 0
        self._most = ROOM.limit if declared is None else min(max(declared, 0), ROOM.limit)

    async def fits(self, size: int) -> bool:
        """Whether `size` bytes more are within the limit; waits for room when the body turns out to be a large one."""
        self.seen += size
        if self.seen > ROOM.limit:
            return False
        if self.seen > LARGE and not self._reserved:
            self._reserved = max(self._most, self.seen)
            try:
                await ROOM.take(self._reserved)
            except BaseException:
                self._reserved = 0
                raise
        return True

    def close(self) -> None:
        ROOM.give(self._reserved)
        self._reserved = 0
