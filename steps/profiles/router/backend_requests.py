"""Expectations about the requests that reach the backends, and about the backends' connections."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.peers.scripted_backends import BackendScript
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.backends import BackendName
from rollout_conformance.steps.profiles.router.context import RouterContext


def in_runs(names: list[str]) -> str:
    """`a, b, d (3 times)`: the backends in the order of the requests."""
    runs = [(name, sum(1 for _ in run)) for name, run in groupby(names)]
    return ", ".join(name if count == 1 else f"{name} ({count} times)" for name, count in runs)


def script(view: CaseView) -> BackendScript:
    """What the backends did last in the case."""
    found: BackendScript = view.extra["script"]
    return found


@verb("backend_requests", short="exactly", example=("1", "{least: 2, most: 3}", "{backend: c, least: 1}"))
@phrase("the backends receive no request", exactly=0)
@phrase("the backends receive {exactly:int} request(s)")
@phrase("the backends receive {least:int} to {most:int} requests")
@phrase("the backends receive {least:int} to {most:int} requests, plus {per_s:number} for each second")
@phrase("both backends receive requests, {exactly:int} in all", backends=2)
@phrase("backend {backend} receives a request", least=1)
@phrase("backend {backend} receives {least:int} or more requests")
@dataclass(frozen=True, slots=True)
class BackendRequests:
    """So many requests reach the backends."""

    exactly: int | None = None
    "How many. Instead: `least`, `most` or both."
    least: int = 0
    "At least so many."
    most: int | None = None
    "At most so many."
    per_s: float = 0.0
    "So many more at most, for each second from the first request of the case to its last response."
    backends: int = 0
    "At least so many different backends receive one."
    backend: BackendName | None = None
    "Only requests to this backend are counted."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        received = [name for name, _ in script(view).received]
        counted = [name for name in received if self.backend in (None, name)]
        least, most = (self.least, self.most) if self.exactly is None else (self.exactly, self.exactly)
        if most is not None and self.per_s:
            most += int(self.per_s * _seconds(view))
        ok = least <= len(counted) and (most is None or len(counted) <= most) and len(set(counted)) >= self.backends
        amount = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
        to = f"backend {self.backend}" if self.backend else "the backends"
        expected = f"{amount} request(s) to {to}" + (f", {self.backends} of them" if self.backends else "")
        yield evidence(requirement, ok, expected, f"{len(counted)}: {in_runs(received) or 'none'}")


def _seconds(view: CaseView) -> float:
    """From the first request of the client in the case to its last response."""
    exchanges = [exchange for exchange in view.trace.exchanges if exchange.to_target]
    ends = [exchange.ended or exchange.began for exchange in exchanges]
    return max(ends) - min(exchange.began for exchange in exchanges) if exchanges else 0.0


@verb("no_unmatched_requests", short="of", example="all")
@phrase("no request reaches a backend while {of:several_responses} are awaited")
@dataclass(frozen=True, slots=True)
class NoUnmatchedRequests:
    """The router contacts no backend, with whatever body, for requests that it rejects. A request that belongs to no case may be a health
    check of the router: it shows something only if there is one during each of these requests."""

    of: tuple[ResponseName, ...] = ("all",)
    "The responses that reject."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        assert isinstance(view.context, RouterContext)
        backends, exchanges = view.context.backends, [view.trace.exchanges[one.n] for one in view.named(*self.of)]
        during = [
            [
                request
                for at, request in zip(backends.unmatched_at, backends.unmatched_requests, strict=True)
                if one.began <= at - view.trace.epoch <= (one.ended or view.trace.now())
            ]
            for one in exchanges
        ]
        contacted = bool(during) and all(during)
        observed = f"one during each, the first {during[0][0].body[:80]!r}" if contacted else ""
        yield evidence(requirement, not contacted, "no request to a backend", observed)


@verb("backends_disconnected")
@phrase("the backends are disconnected")
@dataclass(frozen=True, slots=True)
class BackendsDisconnected:
    """The router disconnects from each backend that is still sending when its client has disconnected."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        scripts: list[BackendScript] = view.extra.get("scripts", [])
        found = next(
            (one for one in scripts if any(response.endless or response.hold for response in one.played)), None
        )
        if found is None:
            return
        ends = [view.trace.exchanges[one.n].ended or 0.0 for one in view.responses if one.left]
        if any(at < max(ends, default=0.0) for at in found.finished):
            return  # a router that forwards so late shows nothing
        streams, disconnected = len(found.received), len(found.disconnected)
        observed = f"{disconnected} of {streams} requests were ended, and the others continued"
        yield evidence(requirement, disconnected == streams, "backends that are disconnected at once", observed)


@verb("backpressure")
@phrase("the backend is stopped by backpressure")
@dataclass(frozen=True, slots=True)
class Backpressure:
    """While a client reads nothing, the router does not read all of its stream from the backend."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        if "read_ahead" in view.extra:
            observed = f"the router read all {script(view).bytes_sent:,} bytes"
            expected = "a backend that has to wait while its client does not read"
            yield evidence(requirement, not view.extra["read_ahead"], expected, observed)
