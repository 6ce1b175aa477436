"""Expectations about limits: which requests are rejected, how, and which succeed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.backend_requests import script


@verb("limit", short="most", example=("4", "{of: burst, most: 4}", "{most: 4, statuses: [429, 503], when: at_once}"))
@phrase("at most {most:int} requests succeed, and the others have status 429 with Retry-After in seconds")
@phrase(
    "at most {most:int} of {of:responses} succeed, plus {per_s:number} for each second, and the others have status 429 with Retry-After in "
    "seconds",
    example={"of": "all responses"},
)
@phrase(
    "at most {most:int} requests succeed, and the others are rejected at once with 429 or 503",
    statuses=(429, 503),
    when="at_once",
)
@dataclass(frozen=True, slots=True)
class LimitEnforced:
    """At least one and at most `most` of several requests succeed, and the others are rejected, with `Retry-After`."""

    most: int
    "How many may succeed."
    per_s: float = 0.0
    "How many more may succeed for each second that the requests took: the rate of the limit. On a busy machine they are not sent at once."
    of: tuple[ResponseName, ...] = ("it",)
    "The responses."
    statuses: tuple[int, ...] = (429,)
    "The statuses of a rejection."
    when: Literal["any", "at_once"] = "any"
    "`at_once` demands rejections while the backends still hold the responses to the requests that were admitted. Otherwise `Retry-After` has \
to be a whole number of seconds, 1 or more, and `X-RateLimit-Remaining` not negative."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        responses = view.named(*self.of)
        yield self._counts([response.status for response in responses], seconds(view, responses)).evidence(
            requirement, *responses[:1]
        )
        for response in responses:
            if response.status in self.statuses:
                for check in self._rejection(response, view):
                    yield check.evidence(requirement, response)

    def _counts(self, statuses: list[int | None], took_s: float) -> Check:
        most = self.most + int(self.per_s * took_s)
        succeeded = statuses.count(200)
        rejected = sum(status in self.statuses for status in statuses)
        ok = 0 < succeeded <= most and succeeded + rejected == len(statuses)
        expected = f"1 to {most} successes, {' or '.join(map(str, self.statuses))} for the others"
        return Check(ok, expected, show(statuses))

    def _rejection(self, response: KeptResponse, view: CaseView) -> Iterator[Check]:
        after = response.header("retry-after")
        if self.when == "at_once":
            yield Check(bool(after), "Retry-After", f"Retry-After: {show(after)}")
            ended, released = view.trace.exchanges[response.n].ended, script(view).released_at or 0.0
            expected = "a rejection at once, while the backends hold the responses to the admitted requests"
            yield Check(ended is not None and ended <= released, expected, "a rejection after these responses")
            return
        whole = after is not None and after.isdigit() and int(after) >= 1
        yield Check(whole, "Retry-After: whole seconds, 1 or more", f"Retry-After: {show(after)}")
        remaining = response.header("x-ratelimit-remaining")
        if remaining is not None and remaining.lstrip("-").isdigit():
            yield Check(int(remaining) >= 0, "X-RateLimit-Remaining: 0 or more", remaining)


def seconds(view: CaseView, responses: list[ChatResponse]) -> float:
    """From the first of these requests to the last response."""
    exchanges = [view.trace.exchanges[response.n] for response in responses]
    ends: list[float] = [exchange.ended or exchange.began for exchange in exchanges]
    return max(ends) - min(exchange.began for exchange in exchanges) if exchanges else 0.0


@verb("some_have_status", short="statuses", example=("[402, 429]", "{of: burst, statuses: [429], least: 2}"))
@phrase("some of {of:responses} have status {statuses:statuses}, and the others 200", example={"of": "all responses"})
@dataclass(frozen=True, slots=True)
class SomeHaveStatus:
    """Some of several responses have one of these statuses, and all others have status 200."""

    statuses: tuple[int, ...]
    "The statuses."
    of: tuple[ResponseName, ...] = ("it",)
    "The responses."
    least: int = 1
    "How many have one of the statuses, at least."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        responses = view.named(*self.of)
        seen = [response.status for response in responses]
        ok = sum(status in self.statuses for status in seen) >= self.least and all(
            status in (200, *self.statuses) for status in seen
        )
        expected = f"{self.least} or more of {' or '.join(map(str, self.statuses))}, else 200"
        yield Check(ok, expected, show(seen)).evidence(requirement, responses[0])
