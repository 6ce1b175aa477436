"""One case in flight: the only place that orders I/O.

A session sends to the target, waits for events with a deadline, and leaves everything that happened in the trace. It never
decides whether what happened was right.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypedDict, cast

import httpx
from typing_extensions import TypeVar

from rollout_conformance.steps.engine import http_client, lateness
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.response_wait import response_wait
from rollout_conformance.steps.engine.trace import GIVEN_UP, NO_ANSWER, Event, Request, Response, Trace

if TYPE_CHECKING:
    from rollout_conformance.steps.engine.targets import Target

# A target that makes no move at all for `patience_s` is given up on; one that is merely slow is waited for up to this many
# times as long, because a queue in front of it is a right it has.
MOST_PATIENCE = 6
AFTER_SILENCE = 0.3  # of the patience, in a case in which a request had no response


class WaitTimeout(Exception):
    """An event that a case waits for did not occur in time. The judge decides what it means; the case continues."""


@dataclass(slots=True)
class LastActivity:
    """When the target last made a move, in any case of the run; and how many answers it gave."""

    last: float = 0.0
    answers: int = 0


class State(TypedDict, total=False):
    """What is known of a case while it is played. `target` is the instance that it is played against, `log_from` the size of that one's log
    when the case began, in bytes, `sampled` whether a real model samples anew in each of its runs, `apart` whether no other case is in
    flight, `unwell` whether the target had not recovered from another one, `crowded` how many others were in flight when it waited in vain,
    `wait_timeouts` for what, with the part of the case that it is about.

    A profile adds what its own verbs keep."""

    target: "Target"
    log_from: int
    sampled: bool
    apart: bool
    unwell: bool
    crowded: int
    wait_timeouts: list[tuple[str, str]]


S = TypeVar("S", bound=State, default=Any)
C = TypeVar("C", default=Any)
T = TypeVar("T")


@dataclass(slots=True)
class Session(Generic[S, C]):
    """`state` is what the verbs of a profile keep while a case is played, `context` what its sessions share, `role` whom the suite plays in
    the lifecycle. `target` is the base URL; `patience_s` how long a silent target is waited for; `settle_s` how long after its last
    action a case still listens for what should not come; `late` by how many seconds the suite was late since a moment."""

    target: str
    client: httpx.AsyncClient
    trace: Trace
    patience_s: float
    settle_s: float
    last_activity: LastActivity = field(default_factory=LastActivity)
    holds: dict[str, asyncio.Event] = field(default_factory=dict)
    tasks: list[asyncio.Task[object]] = field(default_factory=list)
    state: S = field(default_factory=lambda: cast(S, {}))
    context: C = field(default_factory=lambda: cast(C, None))
    role: str = "client"
    busy: Callable[[], None] = lambda: None
    late: Callable[[float], float] = lateness.never
    unanswered: int = 0  # requests to the target that had no response, or no end of one, in time

    async def send(
        self,
        request: Request,
        rollout: str = "",
        deadline_s: float | None = None,
        sent: str = "",
        by: str = "",
        base_url: str = "",
        is_activity: bool = True,
    ) -> int:
        """Send one request to the target; returns the number of the exchange, whatever became of it.

        `sent` names the event that the sending is, for requests that have a meaning in the protocol; `by` is the role
        played, where it is not that of the session; `base_url` the one that the target gave for this request, where it
        gave one; `is_activity` whether a response shows that the target makes progress.
        """
        n = self.trace.open(request, to_target=True, rollout=rollout)
        if sent:
            self.trace.event(rollout, by or self.role, sent, n)
        patience_s = self.patience_s * self.patience_share
        most_s = deadline_s or patience_s * MOST_PATIENCE
        try:
            async with response_wait(self.trace, most_s, patience_s, self.late) as wait:
                response = await self._answer(request, base_url or self.target)
            self.trace.close(n, response)
            self.last_activity.answers += 1
            if is_activity:
                self.touch()
        except TimeoutError:
            self.unanswered += (
                deadline_s is None
            )  # a deadline of its own may be that of a client that leaves on purpose
            self.trace.close(n, fault=f"{NO_ANSWER} {wait.told('the last activity of a backend')}")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self.trace.close(n, fault=http_client.transport_fault(error))
        except SuiteError as error:
            self.trace.close(n, fault=f"not read by the suite: {error}")
            raise
        except asyncio.CancelledError:
            self.trace.close(n, fault=GIVEN_UP)
            raise
        return n

    @property
    def patience_share(self) -> float:
        """How much of its patience the session has left: one request without a response is what a case shows, and those after it are not
        waited for as long."""
        return AFTER_SILENCE if self.unanswered else 1.0

    async def _answer(self, request: Request, base_url: str) -> Response:
        reply = await self.client.send(self._built(request, base_url), stream=True)
        try:
            return Response(reply.status_code, http_client.headers(reply), await http_client.whole(reply))
        finally:
            await reply.aclose()

    def _built(self, request: Request, base_url: str) -> httpx.Request:
        return self.client.build_request(
            request.method, http_client.url(base_url + request.path), headers=_encoded(request), content=request.body
        )

    def touch(self) -> None:
        self.last_activity.last = asyncio.get_running_loop().time()

    def spawn(self, work: Coroutine[object, None, T]) -> asyncio.Task[T]:
        task = asyncio.ensure_future(work)
        self.tasks.append(task)
        return task

    async def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait until `happened()`; it is asked again after every event. Raises `WaitTimeout` when the target stays silent."""
        if happened():
            return
        woken = asyncio.Event()

        def listener(_: Event) -> None:
            woken.set()

        self.trace.listeners.append(listener)
        try:
            await self._wait(happened, woken, what)
        finally:
            self.trace.listeners.remove(listener)

    async def _wait(self, happened: Callable[[], bool], woken: asyncio.Event, what: str) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not happened():
            woken.clear()
            left = self._deadline(began) - loop.time()
            if left <= 0:
                raise WaitTimeout(what)
            try:
                async with asyncio.timeout(left):
                    await woken.wait()
            except TimeoutError:
                continue
            self.touch()

    def _deadline(self, began: float) -> float:
        """Until when an event is waited for. While the suite is late it hears no event, and plays to the target a slow peer."""
        quiet = max(began, self.last_activity.last)
        most = began + self.patience_s * MOST_PATIENCE
        return min(quiet + self.patience_s + self.late(quiet), most + self.late(began))

    def hold(self, name: str) -> asyncio.Event:
        """The gate that a scripted reply waits at until the case releases it."""
        return self.holds.setdefault(name, asyncio.Event())

    async def settle(self, for_s: float | None = None) -> None:
        """Listen on until nothing has happened in this case for so long (`settle_s` by default)."""
        if for_s is None and self.unanswered:  # a case that waited in vain has listened for longer than that
            return
        quiet_s = self.settle_s if for_s is None else for_s
        loop = asyncio.get_running_loop()
        last = loop.time()

        def listener(_: Event) -> None:
            nonlocal last
            last = loop.time()

        self.trace.listeners.append(listener)
        try:
            end = last + self.patience_s
            while (left := min(last + quiet_s, end) - loop.time()) > 0:
                await asyncio.sleep(left)
        finally:
            self.trace.listeners.remove(listener)

    async def close(self) -> None:
        """End whatever the case still has in flight."""
        for gate in self.holds.values():
            gate.set()
        for task in self.tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self.tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, SuiteError):
                raise outcome


def _encoded(request: Request) -> list[tuple[bytes, bytes]]:
    return [(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in request.headers]
