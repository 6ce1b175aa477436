"""What a case may demand of a router: one frozen value a demand, judged on what the client got and what reached the engines."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp, lgamma, log
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import Difference, show
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.http.checks import verdict
from rollout_conformance.steps.peers.scripted_backends import Plan
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.json_changes import changes, harmless
from rollout_conformance.steps.profiles.router.received import explained, received
from rollout_conformance.steps.sse.streams import DONE

ADDED = ("stream_options", "model", "user")  # what a router may set on its own account
WITH_OBJECT = ("ROUTER-012",)  # whose sentence has an error object


def plan(view: CaseView) -> Plan:
    found: Plan = view.extra["plan"]
    return found


def likely_count(total: int, k: int, share: float) -> float:
    """How likely `k` of `total` draws of this share are. By logarithms: the ways to choose thousands are more than a float holds."""
    if share in (0.0, 1.0):
        return float(k == total * share)
    ways = lgamma(total + 1) - lgamma(k + 1) - lgamma(total - k + 1)
    return exp(ways + k * log(share) + (total - k) * log(1 - share))


@dataclass(frozen=True, slots=True)
class BackendCalls:
    """So many requests reached the engines, at `engines` different ones where that is said."""

    least: int
    most: int
    engines: int = 0

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        asked = [name for name, _ in plan(view).asked]
        wanted = f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"
        expected = f"{wanted} request(s) to the engines" + (f", {self.engines} of them" if self.engines else "")
        ok = self.least <= len(asked) <= self.most and (not self.engines or len(set(asked)) >= self.engines)
        yield (
            Satisfied(requirement)
            if ok
            else Finding(requirement, expected, f"{len(asked)}: {', '.join(asked) or 'none'}")
        )


@dataclass(frozen=True, slots=True)
class PassedOn:
    """Every member that the client sent reached the engine as it was."""

    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        reply, asked = view.named(self.of)[0], plan(view).asked
        if not asked:
            yield Finding(requirement, "a request at an engine", "none", (reply.n,))
            return
        body = parse(asked[0][1].body)
        got: Mapping[str, Any] = body if isinstance(body, dict) else {}
        sent = {name: value for name, value in reply.request.items() if name not in ADDED}
        lost = [one for one in changes(sent, got) if one.path not in ADDED]
        yield from _changed(requirement, lost, reply)


def _changed(requirement: str, lost: list[Difference], reply: ChatResponse) -> Iterator[Evidence]:
    """The first change, the gravest one first: one that harms no training is a SHOULD at most, and null for absent is one in some eyes."""
    worst = min(lost, key=lambda one: (one.only_null, harmless(one)), default=None)
    if worst is None:
        yield Satisfied(requirement)
        return
    also = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
    told, observed = f"{worst.path}: {show(worst.expected)}", f"{worst.path}: {show(worst.observed)}{also}"
    cap = "should" if harmless(worst) else None
    yield Finding(requirement, told, observed, (reply.n,), strict_only=worst.only_null, cap=cap)


@dataclass(frozen=True, slots=True)
class Returned:
    """The reply holds these members as the engine gave them."""

    members: tuple[tuple[str, Any], ...]
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            whole = reply.fields if not reply.streamed else next(iter(mappings(reply.data)), {})
            yield from _changed(requirement, list(changes(dict(self.members), whole)), reply)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A stream whose engine died does not look like one that ended: no finish_reason, and an error event or a connection that breaks.

    Where `or_whole` is given, the rest may also have come from another engine: all of that text, once, and its end.
    """

    of: str = "it"
    or_whole: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            if reply.status is not None and reply.status >= 400:
                yield Satisfied(requirement)  # a status is a sign, whatever the body says
                continue
            data = reply.data
            finish, content = reply.first_choice.finish, reply.first_choice.content
            told = any(isinstance(one, Mapping) and one.get("error") for one in data)
            broke = view.trace.exchanges[reply.n].fault is not None
            whole = bool(self.or_whole) and content == self.or_whole and finish is not None
            ok = whole or (finish is None and (told or (broke and DONE not in data)))
            observed = (
                f"finish_reason {show(finish)}, {'[DONE]' if DONE in data else 'no [DONE]'}, content {show(content)}"
            )
            observed += "" if told or broke else ", and no sign that anything is missing"
            yield verdict(requirement, ok, "an error event, or a connection that breaks off", observed, reply)


@dataclass(frozen=True, slots=True)
class Whole:
    """The reply says all of this text once: nothing lost, nothing doubled."""

    text: str
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            observed = reply.first_choice.content
            yield verdict(requirement, observed == self.text, show(self.text), show(observed), reply)


@dataclass(frozen=True, slots=True)
class DeltasKept:
    """The pieces of a stream still have the member that the engine gave each of them, and nobody knows."""

    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            deltas = [mapping(part.get("delta")) for part in reply.deltas]
            lost = [delta for delta in deltas if delta.get("content") and "rc_word" not in delta]
            yield verdict(requirement, not lost, "rc_word in every piece, as the engine gave it", show(lost[:2]), reply)


@dataclass(frozen=True, slots=True)
class Failed:
    """The client is told with one of these statuses; and in an error object, where the requirement has one in its sentence. Another way to
    say in JSON what is wrong is not as grave as none."""

    statuses: tuple[int, ...] = (502, 503, 504)
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            expected, right = " or ".join(map(str, self.statuses)), reply.status in self.statuses
            if right and (requirement not in WITH_OBJECT or mapping(reply.fields.get("error")).get("message")):
                yield Satisfied(requirement)
                continue
            expected += " with error.message" if requirement in WITH_OBJECT else ""
            cap = "should" if right and explained(reply) else None
            yield Finding(requirement, expected, received(reply), (reply.n,), cap=cap)


@dataclass(frozen=True, slots=True)
class Limited:
    """Of these requests at most `most` are served and at least one is a 429 that says when to come again; only those served reach an
    engine."""

    of: str
    most: int

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        replies = view.named(self.of)
        served = [reply for reply in replies if reply.status == 200]
        busy = [reply for reply in replies if reply.status == 429]
        statuses = show([reply.status for reply in replies])
        ok = 0 < len(served) <= self.most and len(served) + len(busy) == len(replies) and bool(busy)
        yield verdict(requirement, ok, f"1 to {self.most} answers, 429 for the others", statuses, *replies[:1])
        for reply in busy:
            response = view.trace.exchanges[reply.n].response
            after = response.header("retry-after") if response else None
            whole = after is not None and after.isdigit() and int(after) >= 1
            yield verdict(
                requirement, whole, "Retry-After: whole seconds, 1 or more", f"Retry-After: {show(after)}", reply
            )
            left = response.header("x-ratelimit-remaining") if response else None
            if left is not None and left.lstrip("-").isdigit():
                yield verdict(requirement, int(left) >= 0, "X-RateLimit-Remaining: 0 or more", left, reply)


@dataclass(frozen=True, slots=True)
class Some:
    """At least `least` of these replies have one of the statuses, and no reply has another than those and 200."""

    of: str
    statuses: tuple[int, ...]
    least: int = 1

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        seen = [reply.status for reply in view.named(self.of)]
        ok = sum(status in self.statuses for status in seen) >= self.least and all(
            s in (200, *self.statuses) for s in seen
        )
        expected = f"{self.least} or more of {' or '.join(map(str, self.statuses))}, else 200"
        yield verdict(requirement, ok, expected, show(seen), view.named(self.of)[0])


@dataclass(frozen=True, slots=True)
class OnlyEngine:
    """All requests of the case went to one engine, to this one where it is named."""

    name: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        counts = Counter(name for name, _ in plan(view).asked)
        ok = len(counts) == 1 and self.name in ("", *counts)
        yield (
            Satisfied(requirement)
            if ok
            else Finding(requirement, f"one engine for all{self.name and ', ' + self.name}", f"{dict(counts)}")
        )


@dataclass(frozen=True, slots=True)
class HungUp:
    """Every engine that still had something to say when its client left was left by the router, too."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        plans: list[Plan] = view.extra.get("plans", [])
        found = next((one for one in plans if any(line.endless for line in one.played)), None)
        if found is None:
            return
        gone = max((view.trace.exchanges[one.n].ended or 0.0 for one in view.judged if one.left), default=0.0)
        if any(at < gone for at in found.finished):
            return  # a router that passes on so late shows nothing
        observed = f"of {len(found.asked)} streams {len(found.left)} were left, and the others went on"
        expected = "an engine that is left at once"
        ok = len(found.left) == len(found.asked)
        yield Satisfied(requirement) if ok else Finding(requirement, expected, observed)


@dataclass(frozen=True, slots=True)
class HasHeader:
    """The answer has this header."""

    name: str
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            response = view.trace.exchanges[reply.n].response
            value = response.header(self.name.lower()) if response else None
            yield verdict(requirement, bool(value), f"the header {self.name}", show(value), reply)


@dataclass(frozen=True, slots=True)
class SameReply:
    """These replies are one and the same, byte for byte in what they say."""

    of: tuple[str, ...]

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        replies = [reply for name in self.of for reply in view.named(name)]
        odd = next((reply for reply in replies if reply.body != replies[0].body), None)
        yield (
            Satisfied(requirement)
            if odd is None
            else verdict(requirement, False, show(replies[0].body), show(odd.body), replies[0], odd)
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """Requests go to every engine: with equal weights none is spared by chance (one in a thousand)."""

    engines: int = 2

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        counts = Counter(name for name, _ in plan(view).asked)
        total = sum(counts.values())
        least = min(counts.values()) if len(counts) >= self.engines else 0
        # how likely it is that fair coins give so few, for two engines
        likely = 2 * sum(likely_count(total, k, 0.5) for k in range(least + 1)) if total else 1.0
        expected = f"{total} requests over {self.engines} engines of one weight"
        yield (
            Satisfied(requirement)
            if likely >= 1e-3
            else Finding(requirement, expected, f"{dict(counts)}, which has a chance of {likely:.1g}")
        )
