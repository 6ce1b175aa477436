"""What may be demanded of the time that things take, and of how many run at the same time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar, Literal

from rollout_conformance.steps.engine.comparison import Comparison
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.rollout.actions.requests import NO_ROLLOUT
from rollout_conformance.steps.profiles.rollout.expectations.base import CaseExpectation, RolloutExpectation, shown_end
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout

LATE_S = 0.25  # how late a busy machine may see a request
LONGEST_DELAY_S = 31
LEAST_WAIT = 0.8  # of a declared limit


def _margin(allowed: float) -> float:
    """What a busy machine may take on top of a limit. A limit that is not there is far over it: the suite waits for much longer."""
    return max(2.0, allowed)


@verb("answered_within", short="seconds", example="2")
@phrase("every response arrives within {seconds} s")
@dataclass(frozen=True, slots=True)
class AnsweredWithin(CaseExpectation):
    """Every request of the case to the target is answered within a number of seconds; start requests of the sync dialect and requests for a
    result wait for the rollout, and are not judged."""

    seconds: float

    def checks(self, view: CaseView) -> Iterator[Comparison]:
        for exchange in view.trace.exchanges:
            if not exchange.to_target or (view.dialect == "sync" and exchange.rollout != NO_ROLLOUT):
                continue
            if view.dialect == "leased" and exchange.request.path.endswith("/result"):
                continue
            took = (exchange.ended or view.trace.now()) - exchange.began
            ok = took <= self.seconds and exchange.response is not None
            expected = f"{exchange.request.method} {exchange.request.path} answered within {self.seconds:g} s"
            yield Comparison(ok, expected, f"{took:.2f} s", (exchange.n,), timing=True)


@verb("ends_within", short="limit", example="rollout_timeout_s")
@phrase("the rollout ends within {limit}")
@dataclass(frozen=True, slots=True)
class EndsWithin(RolloutExpectation):
    """The result comes within a limit of the target card, counted from the first generation request, and a margin: as long again, at least
    2 s."""

    admits: ClassVar = ("error",)

    limit: Literal["generation_timeout_s", "rollout_timeout_s", "tool_timeout_s"]
    "Which limit of the card."

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        allowed = getattr(view.limits, self.limit)
        margin = _margin(allowed)
        ends = [event.at for event in rollout.events if event.name in ("ResultReturned", "CompletedSent")]
        requested = [event.at for event in rollout.events if event.name in ("GenerationRequested", "StartSent")]
        expected = f"a final result within {self.limit} {allowed:g} s and a margin of {margin:g} s"
        if not ends or not requested:
            yield Comparison(False, expected, shown_end(rollout), timing=True)
            return
        took = ends[0] - requested[0]
        yield Comparison(took <= allowed + margin, expected, f"{took:.2f} s", timing=True)


@verb("unanswered_requests_time_out", short="rollout", example="left")
@phrase("every unanswered generation request is closed within generation_timeout_s")
@dataclass(frozen=True, slots=True)
class UnansweredRequestsTimeOut(RolloutExpectation):
    """The server closes the connection of every generation request that the trainer does not answer, within the `generation_timeout_s` of the
    target card and a margin: as long again, at least 2 s."""

    admits: ClassVar = ("error",)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        allowed = view.limits.generation_timeout_s or 300.0
        margin = _margin(allowed)
        expected = f"the connection of an unanswered request closed within {allowed:g} s and a margin of {margin:g} s"
        for chat in (chat for chat in rollout.chats if not chat.delivered):
            ended = chat.exchange.ended if chat.exchange.ended is not None else view.trace.now()
            took = ended - chat.exchange.began
            yield Comparison(
                took <= allowed + margin, expected, f"it was open for {took:.2f} s", (chat.n,), timing=True
            )


@verb("unanswered_requests_stay_open", short="rollout", example="left")
@phrase("every unanswered generation request is open for 0.8 of generation_timeout_s")
@dataclass(frozen=True, slots=True)
class UnansweredRequestsStayOpen(RolloutExpectation):
    """The server does not close the connection of a generation request before 0.8 of the `generation_timeout_s` of the target card. The rest
    is for a connection that took long, and for a request that the suite saw late."""

    admits: ClassVar = ("error",)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        limit = view.limits.generation_timeout_s
        if limit is None:
            return
        least = LEAST_WAIT * limit - LATE_S
        expected = f"an unanswered request is open for {LEAST_WAIT:g} of generation_timeout_s {limit:g} s"
        for chat in (chat for chat in rollout.chats if not chat.delivered and chat.exchange.ended is not None):
            took = (chat.exchange.ended or 0.0) - chat.exchange.began
            yield Comparison(took >= least, expected, f"closed after {took:.2f} s", (chat.n,), timing=True)


@verb("retry_delays", short="least_s", example=("1.0",))
@phrase("the delays between retries do not shrink")
@phrase("the first retry waits at least {least_s} s")
@dataclass(frozen=True, slots=True)
class RetryDelays(RolloutExpectation):
    """Each delay between two attempts of a generation request is at least as long as the one before (half of it, for jitter), and at most 30 s."""

    least_s: float = 0.0
    "How long the first delay is at least, as after `Retry-After`."

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        pairs = pairwise(rollout.chats)
        delays = [
            retry.exchange.began - (chat.exchange.ended or chat.exchange.began)
            for chat, retry in pairs
            if not chat.delivered
        ]
        if not delays:
            return
        grow = all(after >= before * 0.5 - LATE_S for before, after in pairwise(delays))
        ok = delays[0] >= self.least_s * 0.95 and max(delays) <= LONGEST_DELAY_S and grow
        expected = f"delays that do not shrink, at most 30 s, the first at least {self.least_s:g} s"
        yield Comparison(ok, expected, "delays of " + ", ".join(f"{delay:.3f} s" for delay in delays), timing=True)


@verb("concurrency_within_limit")
@phrase("no more than max_concurrent rollouts run at the same time")
@dataclass(frozen=True, slots=True)
class ConcurrencyWithinLimit(CaseExpectation):
    """No more rollouts have a generation request open at the same time than the `max_concurrent` of the target card."""

    def checks(self, view: CaseView) -> Iterator[Comparison]:
        allowed = view.limits.max_concurrent or 0
        spans = [
            (chat.exchange.began, chat.exchange.ended or view.trace.now())
            for rollout in view.rollouts.values()
            for chat in rollout.chats
        ]
        most = max(accumulate(change for _, change in sorted(_changes(spans))), default=0)
        yield Comparison(0 < most <= allowed, f"at most {allowed} rollouts at once", f"{most}")


def _changes(spans: Iterable[tuple[float, float]]) -> Iterator[tuple[float, int]]:
    """When one more began, or one less was left; what ends at a moment has ended before what begins then."""
    for began, ended in spans:
        if began < ended:
            yield began, 1
            yield ended, -1
