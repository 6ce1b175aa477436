"""What may be demanded of the responses to start requests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from rollout_conformance.steps.engine.comparison import Comparison
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.profiles.rollout.expectations.base import RolloutExpectation, shown_end, shown_status
from rollout_conformance.steps.profiles.rollout.invariants.auth import quotes
from rollout_conformance.steps.profiles.rollout.view import CaseView, Rollout


@verb("start_accepted", short="rollout", example="left")
@phrase("the start request is accepted")
@dataclass(frozen=True, slots=True)
class StartAccepted(RolloutExpectation):
    """One of the start requests is answered with a success: 202, or 200 at the end of the rollout (sync)."""

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        last = rollout.starts[-1]
        yield Comparison(rollout.accepted, "the start request accepted", shown_status(last), (last.n,))


@verb("start_rejected", short="statuses", example=("422", "{statuses: [401, 403], rollout: left}"))
@phrase("the start request is rejected with {statuses:statuses}")
@dataclass(frozen=True, slots=True)
class StartRejected(RolloutExpectation):
    """Every start request is answered with one of these statuses and a JSON body. Where 422 is right, 400 is too: frameworks differ."""

    admits: ClassVar = ("rejected",)

    statuses: tuple[int, ...] = (422, 400)

    @property
    def expected(self) -> str:
        return f"the start request rejected with {' or '.join(map(str, self.statuses))} and a JSON body"

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        allowed = {*self.statuses, 400} if 422 in self.statuses else set(self.statuses)
        for start in rollout.starts:
            ok = start.status in allowed and not isinstance(start.body, NotJson)
            body = f", a body that is {start.body!r}" if isinstance(start.body, NotJson) and start.status else ""
            yield Comparison(ok, self.expected, shown_status(start) + body, (start.n,))


@verb("needs_rejection", short="rollout", example="left")
@phrase("the first start request was rejected, or this case decides nothing")
@dataclass(frozen=True, slots=True)
class NeedsRejection(RolloutExpectation):
    """The case is about what follows a rejected start request: where the first one is accepted, the case is inconclusive."""

    admits: ClassVar = ("rejected",)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        first = rollout.starts[0]
        yield Comparison(True, "the first start request rejected", shown_status(first), (first.n,))


@verb("resend_rejected", short="statuses", example="[409, 422]")
@phrase("the resent start request is rejected with {statuses:statuses}")
@dataclass(frozen=True, slots=True)
class ResendRejected(RolloutExpectation):
    """The last start request, one that was sent again, is answered with one of these statuses."""

    admits: ClassVar = ("rejected",)

    statuses: tuple[int, ...]

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        last = rollout.starts[-1]
        expected = f"the repeated start request answered {' or '.join(map(str, self.statuses))}"
        yield Comparison(last.status in self.statuses, expected, shown_status(last), (last.n,))


@verb("repeated_start_refused", short="rollout", example="left")
@phrase("the repeated start request is refused")
@dataclass(frozen=True, slots=True)
class RepeatedStartRefused(RolloutExpectation):
    """The last start request is answered with a 4xx status, or with the lease of the first one (leased dialect)."""

    admits: ClassVar = ("rejected",)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        original, last = rollout.starts[0], rollout.starts[-1]
        leases = [start.fields.get("polling_lease_token") for start in (original, last)]
        same = last.status == original.status == 202 and leases[0] is not None and leases[0] == leases[1]
        ok = same or (last.status is not None and 400 <= last.status < 500)
        yield Comparison(ok, "409, or the lease of the first start request", shown_status(last), (original.n, last.n))


@verb("rejected_or_run", short="rollout", example="left")
@phrase("each rollout is rejected or runs")
@dataclass(frozen=True, slots=True)
class RejectedOrRun(RolloutExpectation):
    """Every rollout is either rejected, or runs under its own id and has a result of its own."""

    admits: ClassVar = ("rejected", "error")

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        ok = rollout.rejected or (bool(rollout.chats) and rollout.result is not None)
        expected = f"rollout {rollout.given.label} rejected or run"
        yield Comparison(ok, expected, shown_end(rollout), tuple(start.n for start in rollout.starts))


@verb("start_response_header", short="name", example="www-authenticate")
@phrase("the start response has the header {name:word}")
@dataclass(frozen=True, slots=True)
class StartResponseHeader(RolloutExpectation):
    """Every response to a start request has this header."""

    admits: ClassVar = ("rejected",)

    name: str
    "Upper and lower case mean the same."

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        for start in rollout.starts:
            if start.exchange.response is not None:
                value = start.exchange.response.header(self.name.lower())
                yield Comparison(value is not None, f"a {self.name.lower()} header", "none", (start.n,))


@verb("start_response_has_id", short="rollout", example="left")
@phrase("the start response has a rollout_id")
@dataclass(frozen=True, slots=True)
class StartResponseHasId(RolloutExpectation):
    """Every 202 to a start request has a `rollout_id` (routed dialect)."""

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        accepted = [start for start in rollout.starts if start.status == 202]
        found = [start.fields.get("rollout_id") for start in accepted]
        if accepted:
            ok = all(isinstance(name, str) and name for name in found)
            yield Comparison(ok, "a rollout_id in the 202", f"rollout_id: {show(found)}", (accepted[0].n,))


@verb("start_response_hides_key", short="rollout", example="left")
@phrase("the start response does not contain the key")
@dataclass(frozen=True, slots=True)
class StartResponseHidesKey(RolloutExpectation):
    """No response to a start request contains the key of the trainer, unless it only quotes the request to its sender."""

    admits: ClassVar = ("rejected",)

    def check(self, rollout: Rollout, view: CaseView) -> Iterator[Comparison]:
        for start in rollout.starts:
            key, response = rollout.given.key, start.exchange.response
            if key and response is not None:
                ok = key.encode() not in response.body or quotes(start, key.encode())
                yield Comparison(ok, "no key in the response", "the key of the trainer", (start.n,))
