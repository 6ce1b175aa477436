"""The trainer in the loop of a fuzz run: every generated request is watched, and a start request is a rollout like any other.

schemathesis calls `before` and `after` around each request, in its own thread; the trainer and the judge live on the loop of the
run.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location
from rollout_conformance.steps.engine.loop_thread import LoopThread
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.targets import Target
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.fuzzing.contract import fuzz_of
from rollout_conformance.steps.profiles.parts import Fuzz
from rollout_conformance.steps.run_setup import Run, RunOptions, ready

if TYPE_CHECKING:
    import schemathesis
    from schemathesis.schemas import APIOperation

    GeneratedCase = schemathesis.Case[APIOperation[Any, Any, Any, Any]]


REMEMBERED = 64  # requests whose judgement a check may still ask for


@dataclass(slots=True)
class Watched:
    """One generated request on its way."""

    case: Case
    session: Session
    start: bool
    exchange: int
    began: float


@dataclass(slots=True)
class Watch:
    """`on_outcome` is called for every request that was judged."""

    run: Run
    target: Target
    dialect: str
    contract: str
    loop_thread: LoopThread
    on_outcome: Callable[[Outcome], None] = lambda outcome: None
    under_way: dict[str, Watched] = field(default_factory=dict)
    judged: "OrderedDict[str, Judgement]" = field(default_factory=OrderedDict)
    replaced: dict[str, object] = field(default_factory=dict)

    @classmethod
    def over(cls, run_options: RunOptions, dialect: str, contract: str, loop_thread: LoopThread) -> "Watch":
        """Start or reach the target and serve the trainer. Raises `SuiteError` as every run does."""
        run = loop_thread.enter(ready(run_options))
        return cls(run, loop_thread.call(run.runner.target()), dialect, contract, loop_thread)

    @property
    def fuzz(self) -> Fuzz:
        return fuzz_of(self.run.profile)

    @property
    def key(self) -> str | None:
        """The key that the target asks for, if any."""
        return self.run.peers.key_for(self._case("", False)) or None

    @property
    def headers(self) -> Mapping[str, str]:
        """What the card says is sent with every request."""
        return self.run.runner.options.card.headers

    def before(self, case: "GeneratedCase") -> str | None:
        """Put our peer into the request, and note that it is on its way; gives the key that it needs for that, None for the run's."""
        method, path = case.method.upper(), case.formatted_path
        start = self.fuzz.adapter.is_start(self.dialect, method, path)
        key: str | None = self.loop_thread.call(self._before(case, f"{method} {path}", start))
        return key

    async def _before(self, generated: "GeneratedCase", name: str, start: bool) -> str | None:
        case = self._case(name, start)
        session = self.run.runner.session(case, self.target, Trace())
        key = await self.fuzz.adapter.adapt_request(session, generated)
        method, _, path = name.partition(" ")
        n = self.fuzz.adapter.began(session, Request(method, path), start)
        self.under_way[generated.id] = Watched(case, session, start, n, time.monotonic())
        return key

    def after(self, case: "GeneratedCase", response: "schemathesis.Response") -> None:
        """Judge what came of a request."""
        watched = self.under_way.pop(case.id, None)
        if watched is None:
            return
        judgement = self.loop_thread.call(self._after(watched, response))
        self.judged[case.id] = judgement
        if len(self.judged) > REMEMBERED:
            self.judged.popitem(last=False)
        self.on_outcome(self._outcome(watched, judgement))

    async def _after(self, watched: Watched, response: "schemathesis.Response") -> Judgement:
        session = watched.session
        answer = Response(
            response.status_code,
            tuple((name.lower(), ", ".join(values)) for name, values in response.headers.items()),
            response.content or b"",
        )
        try:
            request = sent(response.request)
            await self.fuzz.adapter.ended(session, watched.exchange, request, answer, watched.start)
            return self.run.runner.judgement(watched.case, session)
        finally:
            await session.close()

    def lost(self, case: "GeneratedCase") -> None:
        """The request found no answer."""
        watched = self.under_way.pop(case.id, None)
        if watched is not None:
            self.loop_thread.call(watched.session.close())

    def findings(self, case: "GeneratedCase") -> tuple[Finding, ...]:
        """What the invariants found in a request that was judged, as far as it fails a run."""
        judgement = self.judged.get(case.id)
        if judgement is None:
            return ()
        catalogue = self.run.profile.catalogue
        counted = [f for f in judgement.findings if not f.strict_only and catalogue[f.requirement].level == "must"]
        return tuple(counted)

    def _case(self, name: str, start: bool) -> Case:
        about = self.fuzz.adapter.about(self.dialect, start)
        return Case(f"generated {name}", self.run.profile.name, self.dialect, about, (), Location(self.contract, 1))

    def _outcome(self, watched: Watched, judgement: Judgement) -> Outcome:
        seconds = time.monotonic() - watched.began
        return Outcome(watched.case, judgement, watched.session.trace, seconds, "")


def sent(request: Any) -> Request:
    """What went over the wire, from the prepared request of schemathesis' client."""
    parts = urlsplit(str(request.url))
    body = request.body.encode() if isinstance(request.body, str) else request.body
    headers = tuple((str(name).lower(), str(value)) for name, value in request.headers.items())
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return Request(str(request.method), path, headers, body if isinstance(body, bytes) else b"")
