"""What a case may demand beyond the invariants: one frozen value a demand, judged on the whole view, never awaiting.

A demand that is not met accuses the first requirement of its case.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, ClassVar

from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import ABSENT, first, show
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.profiles.rollout.invariants.auth import quotes
from rollout_conformance.steps.profiles.rollout.invariants.termination import looks_like_error
from rollout_conformance.steps.profiles.rollout.invariants.tools import following, gives
from rollout_conformance.steps.profiles.rollout.view import Answer, CaseView, Rollout

CLOCKS_S = 0.25  # how late a busy machine may see a request


def _verdict(
    requirement: str, ok: bool, expected: str, observed: str, *exchanges: int, timing: bool = False
) -> Evidence:
    return Satisfied(requirement) if ok else Finding(requirement, expected, observed, exchanges, timing=timing)


def _showing(view: CaseView, label: str) -> list[Rollout]:
    """The chosen ones, without those whose conversation the server had no occasion to show."""
    return [rollout for rollout in _chosen(view, label) if rollout.shown]


def _chosen(view: CaseView, label: str) -> list[Rollout]:
    """The rollouts that a demand is about: the one named, with its copies, or all of them."""
    return [r for name, r in view.rollouts.items() if label in ("", name) or name.startswith(f"{label}#")]


def _observed_start(start: Answer) -> str:
    return f"{start.status}" if start.status is not None else str(start.exchange.fault)


@dataclass(frozen=True, slots=True)
class Refused:
    """Every start request is answered with one of these statuses and a JSON body, and nothing runs."""

    admits: ClassVar = ("refused",)

    statuses: tuple[int, ...] = (422, 400)
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        expected = f"the start request refused with {' or '.join(map(str, self.statuses))} and a JSON body"
        for rollout in _chosen(view, self.rollout):
            for start in rollout.starts:
                # Frameworks differ on 400 and 422 for the same mistake; where one is right, so is the other.
                allowed = {*self.statuses, 400} if 422 in self.statuses else set(self.statuses)
                ok = start.status in allowed and not isinstance(start.body, NotJson)
                observed = _observed_start(start) + (
                    f", a body that is {start.body!r}" if isinstance(start.body, NotJson) and start.status else ""
                )
                yield _verdict(requirement, ok, expected, observed, start.n)


@dataclass(frozen=True, slots=True)
class LastRefused:
    """The last start request, a repetition, is answered with one of these statuses."""

    admits: ClassVar = ("refused",)

    statuses: tuple[int, ...]
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        expected = f"the repeated start answered {' or '.join(map(str, self.statuses))}"
        for rollout in _chosen(view, self.rollout):
            last = rollout.starts[-1]
            yield _verdict(requirement, last.status in self.statuses, expected, _observed_start(last), last.n)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The start request is taken: 202 (callback), or 200 at the end (sync)."""

    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            start = rollout.starts[-1]
            yield _verdict(requirement, rollout.accepted, "the start request accepted", _observed_start(start), start.n)


@dataclass(frozen=True, slots=True)
class Completed:
    """The rollout ends COMPLETED; `reasons` are the finish reasons that are right (empty: any)."""

    demands_completion: ClassVar = True

    reasons: tuple[str, ...] = ()
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        reasons = f" with finish_reason {' or '.join(self.reasons)}" if self.reasons else ""
        for rollout in _chosen(view, self.rollout):
            status, reason, n = _end(rollout)
            unsaid = rollout.dialect == "routed" and reason is None  # no member of the dialect says it
            ok = status == "COMPLETED" and (not self.reasons or unsaid or reason in self.reasons)
            expected = f"COMPLETED{reasons}"
            yield (
                Satisfied(requirement)
                if ok
                else Finding(requirement, expected, _observed_end(rollout), n, duplicates_invariant=True)
            )


@dataclass(frozen=True, slots=True)
class Failed:
    """The rollout ends ERROR. `categories` are the error categories that are right, `http_status` what it must name;
    either is demanded only where the server gives the member (`strictly` demands them)."""

    admits: ClassVar = ("error",)

    categories: tuple[str, ...] = ()
    http_status: int | None = None
    strictly: bool = False
    not_categories: tuple[str, ...] = ()
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            status, _, n = _end(rollout)
            if status != "ERROR":
                yield Finding(requirement, "status ERROR", _observed_end(rollout), n)
                continue
            yield Satisfied(requirement)
            yield from self._members(rollout, requirement, n)

    def _members(self, rollout: Rollout, requirement: str, n: tuple[int, ...]) -> Iterator[Evidence]:
        extra = rollout.result.fields.get("extra_fields") if rollout.result else None
        extra = extra if isinstance(extra, dict) else {}
        category, status = extra.get("error_category"), extra.get("http_status")
        if self.categories and (category is not None or self.strictly):
            expected = f"error_category {' or '.join(self.categories)}"
            yield _verdict(requirement, category in self.categories, expected, f"error_category {show(category)}", *n)
        if category in self.not_categories:
            yield Finding(requirement, f"not error_category {category}", f"error_category {show(category)}", n)
        if self.http_status is not None and (status is not None or self.strictly):
            expected = f"http_status {self.http_status}"
            yield _verdict(requirement, status == self.http_status, expected, f"http_status {show(status)}", *n)


@dataclass(frozen=True, slots=True)
class Ended:
    """The rollout ends, in whichever way."""

    admits: ClassVar = ("error",)

    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            status, _, n = _end(rollout)
            ok = status in ("COMPLETED", "ERROR")
            yield _verdict(requirement, ok, "a final result, COMPLETED or ERROR", _observed_end(rollout), *n)


def _end(rollout: Rollout) -> tuple[Any, Any, tuple[int, ...]]:
    result = rollout.result
    if result is None:
        return None, None, tuple(start.n for start in rollout.starts)
    return result.fields.get("status"), result.fields.get("finish_reason"), (result.n,)


def _observed_end(rollout: Rollout) -> str:
    result = rollout.result
    if result is None:
        starts = ", ".join(_observed_start(start) for start in rollout.starts) or "no start request"
        return f"no final result (start: {starts})"
    parts = {
        k: result.fields.get(k)
        for k in ("status", "finish_reason", "error_message")
        if result.fields.get(k) is not None
    }
    return ", ".join(f"{key} {show(value)}" for key, value in parts.items()) or show(result.body)


@dataclass(frozen=True, slots=True)
class Calls:
    """How many generation calls reach the trainer, retries included. `most` None: no upper bound."""

    least: int
    most: int | None = None
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        expected = (
            f"{self.least} generation call(s)"
            if self.least == self.most
            else f"{self.least} to {self.most or 'any number of'} generation calls"
        )
        for rollout in _chosen(view, self.rollout):
            seen = len(rollout.chats)
            ok = self.least <= seen and (self.most is None or seen <= self.most)
            yield _verdict(requirement, ok, expected, f"{seen}", *(chat.n for chat in rollout.chats[-2:]))


@dataclass(frozen=True, slots=True)
class Posts:
    """How many completion callbacks arrive, repetitions included (callback dialect; held without evidence in sync)."""

    least: int
    most: int | None = None
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        if view.dialect == "sync":
            return
        expected = (
            f"{self.least} completion(s)"
            if self.least == self.most
            else f"{self.least} to {self.most or 'any number of'} completions"
        )
        for rollout in _chosen(view, self.rollout):
            acked = next((n for n, post in enumerate(rollout.posts, 1) if post.acked), len(rollout.posts))
            seen = acked if self.least <= acked else len(rollout.posts)  # those after it are ROLLOUT-140's
            ok = self.least <= seen and (self.most is None or seen <= self.most)
            yield _verdict(requirement, ok, expected, f"{seen}", *(post.n for post in rollout.posts[-2:]))


@dataclass(frozen=True, slots=True)
class ToolResults:
    """The contents of the tool messages of all turns, in order: a value, `error`, or a tuple of what is right.

    `error` is a text that is no bare value; `huge` a number that no float can hold, written out.
    """

    values: tuple[Any, ...]
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            seen = tool_contents(rollout)
            if len(seen) != len(self.values):
                yield Finding(requirement, f"{len(self.values)} tool message(s)", f"{len(seen)}: {show(seen)}")
                continue
            if not seen:
                yield Satisfied(requirement)
            for want, content in zip(self.values, seen, strict=True):
                ok = any(_is(content, choice) for choice in (want if isinstance(want, tuple) else (want,)))
                yield _verdict(requirement, ok, f"a tool message that {_described(want)}", f"content: {show(content)}")


def _described(want: Any) -> str:
    if isinstance(want, tuple):
        return " or ".join(_described(choice) for choice in want)
    words = {"error": "says it is an error", "huge": "gives the exact number"}
    return words.get(str(want)) or f"gives {show(want)}"


def _is(content: Any, want: Any) -> bool:
    if want == "error":
        return looks_like_error(content)
    return isinstance(content, str) and gives(content, math.inf if want == "huge" else want)


def tool_contents(rollout: Rollout) -> list[Any]:
    contents: list[Any] = []
    for turn in rollout.generated:
        for message in following(rollout, turn) or []:
            if isinstance(message, dict) and message.get("role") == "tool":
                contents.append(message.get("content"))
    return contents


@dataclass(frozen=True, slots=True)
class ToolErrorPrefix:
    """Error texts of tools begin with `Error:`."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in view.rollouts.values():
            for content in tool_contents(rollout):
                if looks_like_error(content):
                    yield _verdict(
                        requirement, content.startswith("Error:"), "content begins with Error:", show(content)
                    )


@dataclass(frozen=True, slots=True)
class NoInternals:
    """Tool messages show nothing of the server's source code. The name of an exception or of a tool is no source code."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in view.rollouts.values():
            sent = internal_error_patterns.Sent(
                chat.exchange.response.body for chat in rollout.chats if chat.exchange.response is not None
            )
            for content in tool_contents(rollout):
                found = (
                    internal_error_patterns.leaked(content, internal_error_patterns.SOURCE, sent)
                    if isinstance(content, str)
                    else None
                )
                observed = internal_error_patterns.excerpt(content, found) if found else show(content)
                yield _verdict(requirement, found is None, "an error text without source code", observed)


@dataclass(frozen=True, slots=True)
class Sent:
    """Every generation call has these members with these values; a null value means null or absent."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _chosen(view, self.rollout):
            for chat in rollout.chats:
                for name, value in self.fields.items():
                    seen = chat.fields.get(name, ABSENT)
                    ok = seen in (None, ABSENT) if value is None else first(value, seen) is None
                    yield _verdict(requirement, ok, f"{name}: {show(value)}", f"{name}: {show(seen)}", chat.n)


@dataclass(frozen=True, slots=True)
class FinalContains:
    """The final messages contain a message with these members, unchanged."""

    message: Mapping[str, Any]
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _showing(view, self.rollout):
            final = rollout.result.fields.get("final_messages") if rollout.result else None
            final = final if isinstance(final, list) else []
            ok = any(isinstance(m, dict) and all(m.get(k) == v for k, v in self.message.items()) for m in final)
            yield _verdict(requirement, ok, f"a final message with {show(dict(self.message))}", show(final))


@dataclass(frozen=True, slots=True)
class FinalRoles:
    """The roles of the final messages, in order."""

    roles: tuple[str, ...]
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in _showing(view, self.rollout):
            final = rollout.result.fields.get("final_messages") if rollout.result else None
            seen = (
                tuple(m.get("role") if isinstance(m, dict) else None for m in final) if isinstance(final, list) else ()
            )
            yield _verdict(
                requirement, seen == self.roles, f"roles {show(list(self.roles))}", f"roles {show(list(seen))}"
            )


@dataclass(frozen=True, slots=True)
class Answered:
    """The n-th other request of the case (default: every one) has one of these statuses, members, and headers."""

    statuses: tuple[int, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    header: str | None = None
    nth: int | None = None
    json: bool = False

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        others = view.others if self.nth is None else view.others[self.nth - 1 : self.nth]
        for answer in others:
            yield from self._one(answer, requirement)

    def _one(self, answer: Answer, requirement: str) -> Iterator[Evidence]:
        asked = f"{answer.exchange.request.method} {answer.exchange.request.path}"
        if self.statuses:
            expected = f"{asked} answered {' or '.join(map(str, self.statuses))}"
            yield _verdict(requirement, answer.status in self.statuses, expected, _observed_start(answer), answer.n)
        for name, value in self.fields.items():
            seen = answer.fields.get(name, ABSENT)
            yield _verdict(
                requirement, first(value, seen) is None, f"{name}: {show(value)}", f"{name}: {show(seen)}", answer.n
            )
        if self.json:
            is_json = not isinstance(answer.body, NotJson)
            yield _verdict(requirement, is_json, f"{asked} answered with JSON", show(answer.body), answer.n)
        if self.header is not None and answer.exchange.response is not None:
            seen = answer.exchange.response.header(self.header)
            yield _verdict(requirement, seen is not None, f"a {self.header} header", "none", answer.n)


@dataclass(frozen=True, slots=True)
class StartHeader:
    """The answer to the start request carries this header."""

    admits: ClassVar = ("refused",)

    header: str

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in view.rollouts.values():
            for start in rollout.starts:
                if start.exchange.response is not None:
                    seen = start.exchange.response.header(self.header)
                    yield _verdict(requirement, seen is not None, f"a {self.header} header", "none", start.n)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Every start request or other request is answered within so many seconds."""

    within_s: float

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for exchange in view.trace.exchanges:
            if not exchange.to_target or (view.dialect == "sync" and exchange.rollout != "-"):
                continue
            took = (exchange.ended or view.trace.now()) - exchange.began
            expected = f"{exchange.request.method} {exchange.request.path} answered within {self.within_s:g} s"
            yield _verdict(
                requirement,
                took <= self.within_s and exchange.response is not None,
                expected,
                f"{took:.2f} s",
                exchange.n,
                timing=True,
            )


@dataclass(frozen=True, slots=True)
class GivesUpCalls:
    """Every generation call that the trainer holds back is hung up within the card's `generation_timeout_s` and a margin of half
    as long, at least half a second."""

    admits: ClassVar = ("error",)

    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        allowed = view.limits.generation_timeout_s or 300.0
        margin = max(0.5, allowed / 2)
        expected = f"the connection of an unanswered call closed within {allowed:g} s and a margin of {margin:g} s"
        for chat in (chat for rollout in _chosen(view, self.rollout) for chat in rollout.chats if not chat.delivered):
            ended = chat.exchange.ended if chat.exchange.ended is not None else view.trace.now()
            took = ended - chat.exchange.began
            yield _verdict(
                requirement,
                took <= allowed + margin,
                expected,
                f"it was held open for {took:.2f} s",
                chat.n,
                timing=True,
            )


@dataclass(frozen=True, slots=True)
class EndsWithin:
    """The rollout's final result comes within this limit of the card, plus a margin, measured from its first generation call.

    `limit` is one of `generation_timeout_s`, `rollout_timeout_s`, `tool_timeout_s`; the margin is as long again, at least 2 s.
    """

    admits: ClassVar = ("error",)

    limit: str
    rollout: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        allowed = getattr(view.limits, self.limit)
        margin = max(2.0, allowed)
        for rollout in _chosen(view, self.rollout):
            ends = [event.at for event in rollout.events if event.name in ("ResultReturned", "CompletedPosted")]
            asked = [event.at for event in rollout.events if event.name in ("ChatAsked", "StartSent")]
            expected = f"a final result within {self.limit} {allowed:g} s and a margin of {margin:g} s"
            if not ends or not asked:
                yield Finding(requirement, expected, _observed_end(rollout), timing=True)
                continue
            took = ends[0] - asked[0]
            yield _verdict(requirement, took <= allowed + margin, expected, f"{took:.2f} s", timing=True)


@dataclass(frozen=True, slots=True)
class MetricsPresent:
    """The result carries metrics, whatever its status."""

    admits: ClassVar = ("error",)

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in view.rollouts.values():
            metrics = rollout.result.fields.get("metrics") if rollout.result else None
            yield _verdict(requirement, isinstance(metrics, dict), "metrics", f"metrics: {show(metrics)}")


@dataclass(frozen=True, slots=True)
class AtMostTogether:
    """No more rollouts have a generation call open at one time than the card's `max_concurrent` says."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        allowed = view.limits.max_concurrent or 0
        spans = [
            (chat.exchange.began, chat.exchange.ended or view.trace.now())
            for r in view.rollouts.values()
            for chat in r.chats
        ]
        most = max(accumulate(change for _, change in sorted(_changes(spans))), default=0)
        yield _verdict(requirement, 0 < most <= allowed, f"at most {allowed} rollouts at once", f"{most}")


def _changes(spans: Iterable[tuple[float, float]]) -> Iterator[tuple[float, int]]:
    """When one more began, or one less was left; what ends at a moment has ended before what begins then."""
    for began, ended in spans:
        if began < ended:
            yield began, 1
            yield ended, -1


@dataclass(frozen=True, slots=True)
class RetryDelays:
    """Consecutive attempts of one generation wait no shorter than the one before (half of it, for jitter), at most 30 s.

    `least_s` demands a first delay of at least so long, as after `Retry-After`.
    """

    least_s: float = 0.0

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in view.rollouts.values():
            ends = [chat.exchange.ended or chat.exchange.began for chat in rollout.chats]
            pairs = list(zip(rollout.chats, rollout.chats[1:], ends, strict=False))
            gaps = [again.exchange.began - ended for chat, again, ended in pairs if not chat.delivered]
            if not gaps:
                continue
            ok = (
                gaps[0] >= self.least_s * 0.95
                and max(gaps) <= 31
                and all(b >= a * 0.5 - CLOCKS_S for a, b in pairwise(gaps))
            )
            expected = f"delays that do not shrink, at most 30 s, the first at least {self.least_s:g} s"
            yield _verdict(
                requirement, ok, expected, "delays of " + ", ".join(f"{gap:.3f} s" for gap in gaps), timing=True
            )


@dataclass(frozen=True, slots=True)
class RetriesNamed:
    """A retried generation call carries a header or a member that names the turn, equal in all its attempts."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in view.rollouts.values():
            for chat, again in zip(rollout.chats, rollout.chats[1:], strict=False):
                if chat.delivered:
                    continue
                named = {
                    name
                    for name, _ in again.exchange.request.headers
                    if "idempotency" in name or "turn" in name or "request-id" in name
                }
                named |= {name for name in again.fields if "turn" in name or "idempotency" in name}
                yield _verdict(
                    requirement, bool(named), "an idempotency header or a turn index", "none", chat.n, again.n
                )


@dataclass(frozen=True, slots=True)
class ActiveReturns:
    """`active_rollouts` of the health answers, where shown, is never negative.

    `rises` demands that it was more than 0 in between, `returns` that it ends where it began: for a case with an instance of
    its own.
    """

    admits: ClassVar = ("error",)

    rises: bool = False
    returns: bool = False

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        seen = [a.fields["active_rollouts"] for a in view.others if isinstance(a.fields.get("active_rollouts"), int)]
        if len(seen) < 2:
            return
        ok = min(seen) >= 0 and (not self.rises or max(seen) > 0) and (not self.returns or seen[-1] == seen[0])
        expected = "active_rollouts never negative"
        expected += ", and raised while one runs" if self.rises else ""
        expected += ", and at the end what it was at the start" if self.returns else ""
        yield _verdict(requirement, ok, expected, show(seen))


@dataclass(frozen=True, slots=True)
class Standing:
    """The n-th answer to a status request shows one of these statuses (routed dialect). 0 stands for the last."""

    statuses: tuple[str, ...]
    nth: int = 0

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        asked = [a for a in view.others if a.exchange.request.path.endswith("/status")]
        expected = f"200 with status {' or '.join(self.statuses)}"
        if not asked or len(asked) < self.nth:
            yield Finding(requirement, expected, f"{len(asked)} status request(s) in this case")
            return
        answer = asked[self.nth - 1]
        shown = answer.fields.get("status")
        ok = shown in self.statuses and (answer.status == 200 or (answer.status == 404 and "unknown" in self.statuses))
        unknown = answer.status == 404 and "unknown" in self.statuses  # whatever its body says
        yield _verdict(requirement, ok or unknown, expected, f"{answer.status}: status {show(shown)}", answer.n)


@dataclass(frozen=True, slots=True)
class Disposed:
    """The first cancellation gives every rollout of the case, or the id `under` that nobody started, one of these dispositions."""

    dispositions: tuple[str, ...]
    under: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        asked = [a for a in view.others if a.exchange.request.path == "/rollout/cancel"]
        expected = f"a disposition {' or '.join(self.dispositions)}"
        if not asked:
            yield Finding(requirement, expected, "no cancellation in this case")
            return
        answer = asked[0]
        results = answer.fields.get("results")
        results = results if isinstance(results, dict) else answer.fields
        for name in [self.under] if self.under else [r.given.rollout_id for r in view.rollouts.values()]:
            shown = results.get(name)
            observed = f"{answer.status}: {name}: {show(shown)}"
            yield _verdict(requirement, shown in self.dispositions, expected, observed, answer.n)


@dataclass(frozen=True, slots=True)
class CancelRefused:
    """Every cancellation of the case is answered 422 or 400 with a JSON body."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for answer in (a for a in view.others if a.exchange.request.path == "/rollout/cancel"):
            ok = answer.status in (400, 422) and not isinstance(answer.body, NotJson)
            yield _verdict(requirement, ok, "422 and a JSON body", f"{answer.status}", answer.n)


@dataclass(frozen=True, slots=True)
class Ends:
    """The rollout's completion says one of these statuses, in the words of the routed dialect."""

    statuses: tuple[str, ...]
    rollout: str = ""

    @property
    def admits(self) -> tuple[str, ...]:
        return () if self.statuses == ("success",) else ("error",)

    @property
    def demands_completion(self) -> bool:
        return self.statuses == ("success",)

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        expected = f"a completion with status {' or '.join(self.statuses)}"
        for rollout in _chosen(view, self.rollout):
            seen = [post.fields.get("said_status") for post in rollout.posts]
            ok = bool(seen) and all(status in self.statuses for status in seen)
            yield _verdict(
                requirement, ok, expected, f"completions: {show(seen)}", *(post.n for post in rollout.posts[:3])
            )


@dataclass(frozen=True, slots=True)
class ReplyNames:
    """The 202 says under which id the rollout runs (routed dialect)."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in view.rollouts.values():
            accepted = [start for start in rollout.starts if start.status == 202]
            shown = [start.fields.get("rollout_id") for start in accepted]
            if not accepted:
                continue
            ok = all(isinstance(name, str) and name for name in shown)
            yield _verdict(requirement, ok, "a rollout_id in the 202", f"rollout_id: {show(shown)}", accepted[0].n)


@dataclass(frozen=True, slots=True)
class SameOutcome:
    """All rollouts of the case end alike: status, finish reason, roles and tool results."""

    admits: ClassVar = ("error",)

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        ends = {label: (_end(r)[0], _end(r)[1], _roles(r)) for label, r in view.rollouts.items()}
        distinct = {repr(end) for end in ends.values()}
        yield _verdict(
            requirement,
            len(distinct) == 1,
            "the same outcome for every rollout",
            f"{len(distinct)} outcomes: {sorted(distinct)[:3]}",
        )


def _roles(rollout: Rollout) -> tuple[Any, ...]:
    final = rollout.result.fields.get("final_messages") if rollout.result else None
    return tuple(m.get("role") for m in final if isinstance(m, dict)) if isinstance(final, list) else ()


@dataclass(frozen=True, slots=True)
class RefusedOrRun:
    """Every rollout of the case is either refused, or runs under its own id to an end of its own."""

    admits: ClassVar = ("refused", "error")

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for label, rollout in view.rollouts.items():
            ok = rollout.refused or (bool(rollout.chats) and rollout.result is not None)
            yield _verdict(
                requirement,
                ok,
                f"rollout {label} refused or run",
                _observed_end(rollout),
                *(s.n for s in rollout.starts),
            )


@dataclass(frozen=True, slots=True)
class TruncatedCallNotRun:
    """No tool message gives a value: the calls of the case were cut off."""

    admits: ClassVar = ("error",)

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in view.rollouts.values():
            ran = [content for content in tool_contents(rollout) if not looks_like_error(content)]
            yield _verdict(requirement, not ran, "no result of a call that was cut off", f"content: {show(ran[:1])}")


@dataclass(frozen=True, slots=True)
class StartShowsNoKey:
    """The answer to a refused start does not show the trainer's key, unless it only gives the request back to its sender."""

    admits: ClassVar = ("refused",)

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in view.rollouts.values():
            for start in rollout.starts:
                key, response = rollout.given.key, start.exchange.response
                if key and response is not None:
                    expected, observed = "no key in the answer", "the trainer's key"
                    ok = key.encode() not in response.body or quotes(start, key.encode())
                    yield _verdict(requirement, ok, expected, observed, start.n)


@dataclass(frozen=True, slots=True)
class ShownToolsRun:
    """Each call of a tool that the target shows gives its value; a call of any other gives an error."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for rollout in view.rollouts.values():
            calls = [call["function"] for turn in rollout.generated if turn.issued for call in turn.issued.calls]
            for function, content in zip(calls, tool_contents(rollout), strict=False):
                shown = function["name"] in view.tools
                expected = (
                    f"{function['name']} is shown and runs"
                    if shown
                    else f"{function['name']} is not shown and does not run"
                )
                yield _verdict(requirement, looks_like_error(content) != shown, expected, f"content: {show(content)}")
