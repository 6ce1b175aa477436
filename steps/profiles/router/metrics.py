"""What a case may demand of the numbers of a router, and of what strangers reach."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.http.checks import verdict
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.context import RouterContext
from rollout_conformance.steps.profiles.router.expectations import plan

SAMPLE = re.compile(
    r"^([a-zA-Z_:][\w:]*)(\{.*\})? (\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)(?: \d+)?$", re.M
)  # a line of Prometheus' text format


def samples(reply: ChatResponse) -> Mapping[str, float]:
    """The numbers of a page of metrics, by name and labels."""
    return {f"{name}{labels}": float(value) for name, labels, value in SAMPLE.findall(_page(reply))}


def _page(reply: ChatResponse) -> str:
    return reply.raw.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Counted:
    """Between two readings of the metrics one counter rose by exactly `by`."""

    before: str
    after: str
    by: int

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for before, after in zip(view.named(self.before), view.named(self.after), strict=False):
            old, new = samples(before), samples(after)
            rose = {name: value - old.get(name, 0.0) for name, value in new.items() if value != old.get(name, 0.0)}
            ok = self.by in rose.values()
            observed = ", ".join(f"{name} by {rise:g}" for name, rise in sorted(rose.items()) if "_bucket" not in name)
            yield verdict(
                requirement, ok, f"a number that rose by {self.by}", observed or "none that rose", before, after
            )


@dataclass(frozen=True, slots=True)
class ToldApart:
    """What was refused is counted elsewhere than what was served: nothing that rose by the one also rose by the other."""

    before: str
    between: str
    after: str

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        readings = [samples(reply) for name in (self.before, self.between, self.after) for reply in view.named(name)]
        if len(readings) != 3:
            return
        old, mid, new = readings
        served = {name for name in mid if mid[name] > old.get(name, 0.0)}
        refused = {name for name in new if new[name] > mid.get(name, 0.0)}
        ok = bool(served - refused) and bool(refused - served)
        observed = "nothing rose for the one and not for the other"
        yield Satisfied(requirement) if ok else Finding(requirement, "numbers that tell the two apart", observed)


@dataclass(frozen=True, slots=True)
class Discreet:
    """The page shows no key, and nothing that a client sent: neither what it asked nor a name that it made up."""

    of: str

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        context = view.context
        secrets = [plan(view).nonce, *context.card.keys.values(), *([context.key] if context.key else [])]
        for reply in view.named(self.of):
            page = _page(reply)
            shown = next((line for line in page.splitlines() if any(one in line for one in secrets)), "")
            ok = bool(page) and not shown
            yield verdict(requirement, ok, "numbers, and names of the router's own", shown or "an empty page", reply)


@dataclass(frozen=True, slots=True)
class NoStrays:
    """Nothing reached an engine that belongs to no case: no request of whom the router refused."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        assert isinstance(view.context, RouterContext)
        unmatched_requests = view.context.backends.unmatched_requests[view.extra.get("unmatched_requests", 0) :]
        observed = (
            f"{len(unmatched_requests)}, the first {unmatched_requests[0].body[:80]!r}" if unmatched_requests else ""
        )
        expected = "no request at an engine that nobody was let in with"
        yield Finding(requirement, expected, observed) if unmatched_requests else Satisfied(requirement)
