"""What a scripted trainer will answer: plain data, in the order in which it will be used.

A `Reply` is a generation. A `Fault` is an answer without one. An `Ack` answers a completion. Nothing here knows how an answer
travels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

# How an answer fails on the way:
#   reset    the connection is cut before a byte of the answer
#   stall    headers arrive, the body never does
#   cut      half of the body arrives, then the connection closes
Loss = Literal["reset", "stall", "cut"]

FOREVER = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call. `arguments` is the exact JSON text sent, or a mapping to send the object itself."""

    name: str
    arguments: str | Mapping[str, object]
    id: str | None = None


@dataclass(frozen=True, slots=True)
class AnyCall:
    """A call of the n-th tool of the target's card; which tool that is does not matter to the case."""

    nth: int = 1


@dataclass(frozen=True, slots=True)
class HangingCall:
    """The call of the card's tool that never returns of itself."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One generation.

    `message` is merged into the assistant message and `put` into the reply (a key with a dot descends); `drop` removes keys
    of the reply. `odd` samples a non-canonical encoding. `end_token` keeps the end-of-turn token in `token_ids`. `lost`
    makes the generation happen and its answer fail on the way. `drip` sends the body in small pieces, some ending in a character. `hold` waits
    until the case releases that name. `digits` makes the text of so many digits, a token each. `close` ends the connection after it.
    `gzip` compresses the body where the request accepts that.
    """

    text: str | None = None
    calls: tuple[Call | AnyCall | HangingCall, ...] = ()
    reasoning: str | None = None
    finish: str | None = None
    message: Mapping[str, object] = field(default_factory=dict)
    put: Mapping[str, object] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    odd: bool = False
    end_token: bool = True
    lost: Loss | None = None
    drip: bool = False
    close: bool = False
    gzip: bool = False
    digits: int = 0
    hold: str | None = None
    delay_s: float = 0.0
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Fault:
    """No generation: a status, a broken connection or a body that is no completion. `times` 0 means for ever."""

    status: int = 200
    loss: Loss | None = None
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    times: int = 1
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer to one completion callback."""

    status: int = 200
    loss: Loss | None = None
    headers: tuple[tuple[str, str], ...] = ()
    times: int = 1


Line = Reply | Fault


@dataclass(frozen=True, slots=True)
class Script:
    """The trainer's part in one rollout. Without an ack of its own, every completion is acknowledged with 200."""

    lines: tuple[Line, ...] = ()
    acks: tuple[Ack, ...] = ()


L = TypeVar("L")


class Cursor(Generic[L]):
    """Reads a script front to back; a line with `times` is given that often, and one that is for ever never ends."""

    def __init__(self, lines: Sequence[L]) -> None:
        self._lines = list(lines)
        self._used = 0

    def take(self) -> L | None:
        """The next line, or None when the script has ended."""
        if not self._lines:
            return None
        line = self._lines[0]
        times = getattr(line, "times", 1)
        self._used += 1
        if times != FOREVER and self._used >= times:
            self._lines.pop(0)
            self._used = 0
        return line
