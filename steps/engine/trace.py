"""The append-only record of one case: what crossed the wire, in the order in which it did.

Nothing here judges or does I/O. Headers are kept with lower-case names; bodies are the bytes as they were.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from time import monotonic

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.engine.json_text import NotJson as NotJson
from rollout_conformance.steps.engine.json_text import parse as parse

Headers = tuple[tuple[str, str], ...]
MOST_PIECES = 500  # of a response of a backend
NO_ANSWER = "no answer within"
SILENT = "no end within"  # of a stream that stays open
STILL_SENDING = "still sending after"
"How the fault of an exchange begins whose end the suite did not wait for."
GIVEN_UP = "given up by the suite"  # the fault of an exchange that a session ended while it waited


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request and what became of it.

    `to_target` tells who asked. `fault` names what went wrong on the transport, or what the peer's script did on purpose.
    `began` and `ended` are seconds since the case began. `pieces` are the parts of a streamed body: when each came, in seconds since the case
    began, and how many bytes there were by then.
    """

    n: int
    to_target: bool
    rollout: str
    request: Request
    began: float
    response: Response | None = None
    fault: str | None = None
    ended: float | None = None
    pieces: tuple[tuple[float, int], ...] = ()

    @property
    def is_out_of_time(self) -> bool:
        """Whether the suite did not wait for the end of the response any longer."""
        return self.ended is None or (self.fault or "").startswith((NO_ANSWER, SILENT, STILL_SENDING))

    @property
    def elapsed_s(self) -> float | None:
        """The time from the request to the end of the response; None while it has not ended."""
        return None if self.ended is None else self.ended - self.began


@dataclass(frozen=True, slots=True)
class Event:
    """Something with a protocol meaning: `name` is past tense, `exchange` the number of the exchange that shows it."""

    seq: int
    at: float
    rollout: str
    role: str
    name: str
    exchange: int


@dataclass(slots=True)
class Trace:
    """Grows only. Listeners hear every event, so that a session can wait for one without polling; `by_name` are the events by rollout and
    name, so that who waits for one need not read all of them after each.

    `behind` are the requests that a target sent on to the backends that the suite plays, each with the backend as `rollout`: they are
    shown, and no finding names them by number. `at_backends` are called whenever a backend gets a request or sends something. `on_close` is
    called with each exchange that ended. `troubles` are failures of the suite itself while the case was played: what follows from one is not
    judged.
    """

    epoch: float = field(default_factory=monotonic)
    exchanges: list[Exchange] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    listeners: list[Callable[[Event], None]] = field(default_factory=list)
    by_name: dict[tuple[str, str], list[Event]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    on_close: Callable[[Exchange], None] | None = None
    behind: list[Exchange] = field(default_factory=list)
    at_backends: list[Callable[[], None]] = field(default_factory=list)

    def now(self) -> float:
        return monotonic() - self.epoch

    def open(self, request: Request, *, to_target: bool, rollout: str = "") -> int:
        """Record a request; the number returned names the exchange from now on."""
        n = len(self.exchanges)
        self.exchanges.append(Exchange(n, to_target, rollout, request, self.now()))
        return n

    def close(self, n: int, response: Response | None = None, fault: str | None = None) -> None:
        """Record how exchange `n` ended; the first ending stands."""
        if self.exchanges[n].ended is None:
            self.exchanges[n] = replace(self.exchanges[n], response=response, fault=fault, ended=self.now())
            if self.on_close is not None:
                self.on_close(self.exchanges[n])

    def forwarded(self, backend: str, request: Request) -> int:
        """Record a request that reached a backend; gives its number among those."""
        self.behind.append(Exchange(len(self.behind), False, backend, request, self.now()))
        self._backend_acted()
        return len(self.behind) - 1

    def answered(self, n: int, response: Response | None = None, fault: str | None = None) -> None:
        """Record how a request to a backend ended; the first ending stands."""
        if n >= 0 and self.behind[n].ended is None:
            self.behind[n] = replace(self.behind[n], response=response, fault=fault, ended=self.now())
            self._backend_acted()

    def sent_on(self, n: int, size: int) -> None:
        """Record that a backend has sent so many bytes more of its response."""
        self._backend_acted()
        pieces = self.behind[n].pieces if n >= 0 else ()
        if n >= 0 and len(pieces) < MOST_PIECES:
            known = pieces[-1][1] if pieces else 0
            self.behind[n] = replace(self.behind[n], pieces=(*pieces, (self.now(), known + size)))

    def _backend_acted(self) -> None:
        for listener in tuple(self.at_backends):
            listener()

    def streamed(self, n: int, pieces: Iterable[tuple[float, int]]) -> None:
        """Record when the parts of the body of exchange `n` came."""
        self.exchanges[n] = replace(self.exchanges[n], pieces=tuple(pieces))

    def event(self, rollout: str, role: str, name: str, exchange: int) -> Event:
        happened = Event(len(self.events), self.now(), rollout, role, name, exchange)
        self.events.append(happened)
        self.by_name.setdefault((rollout, name), []).append(happened)
        for listener in tuple(self.listeners):
            listener(happened)
        return happened

    def wake(self) -> None:
        """Have those that wait for an event look again: something changed that is no event of the protocol."""
        for listener in tuple(self.listeners):
            listener(self.events[-1])

    def of(self, rollout: str) -> Iterator[Event]:
        return (event for event in self.events if event.rollout == rollout)

    def trim(self) -> None:
        """Keep of every body what a reader needs: called when the case was judged, so that a long run stays small."""
        for exchanges in (self.exchanges, self.behind):
            _trim(exchanges)


def _trim(exchanges: list[Exchange]) -> None:
    for n, exchange in enumerate(exchanges):
        if len(exchange.request.body) > body_limits.KEPT:
            exchange = replace(
                exchange, request=replace(exchange.request, body=body_limits.ends(exchange.request.body))
            )
        if exchange.response is not None and len(exchange.response.body) > body_limits.KEPT:
            exchange = replace(
                exchange, response=replace(exchange.response, body=body_limits.ends(exchange.response.body))
            )
        exchanges[n] = exchange
