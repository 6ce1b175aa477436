"""Pages of metrics in the text format of Prometheus: read, parsed and compared."""

import contextlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.requests import NamedRequest, path_of, request_headers
from rollout_conformance.steps.http.responses import KeptResponse, kept, responses_of
from rollout_conformance.steps.http.waiting import repeat_until

METRICS = "/metrics"
IDLE_S = 5.0
SAMPLE = re.compile(
    r"^(?P<name>[a-zA-Z_:][\w:]*)(?P<labels>\{.*\})? (?P<value>[-+]?\d[\d.eE+-]*|[-+]?Inf|NaN)(?: -?\d+)?$", re.M
)  # one line: the value of a label may hold a brace


def samples(page: str) -> dict[str, float]:
    """The values of a page, by name and labels."""
    found: dict[str, float] = {}
    for one in SAMPLE.finditer(page):
        with contextlib.suppress(ValueError):  # letters of a number that are none
            found[one["name"] + (one["labels"] or "")] = float(one["value"])
    return found


def total(values: Mapping[str, float], name: str) -> float | None:
    """The sum of a metric over its labels; None where the page does not have it."""
    found = [value for sample, value in values.items() if sample.partition("{")[0] == name]
    return sum(found) if found else None


@verb("scrape", short="name", example=("before", "{name: after, until_zero: 'vllm:num_requests_running'}"))
@phrase("the metrics are read")
@phrase("the metrics are read when {until_zero:text} is 0")
@dataclass(frozen=True, slots=True)
class Scrape(NamedRequest):
    """Read a page of metrics. The page is kept as a response."""

    path: str = METRICS
    "Path of the page."
    until_zero: str = ""
    "Read again until this metric is 0, for a few seconds at most: until nothing runs any more, for instance."
    key: str = "none"
    "The API key, as in `send`."

    async def perform(self, session: Session) -> None:
        name = responses_of(session).reserve(self.name)
        headers = request_headers(session, self.key, {}) if self.key != "none" else ()

        async def attempt() -> bool:
            n = await session.send(Request("GET", path_of(session, self.path), headers), rollout="-")
            page = kept(session, name, n, is_reading=True)
            return not self.until_zero or not total(samples(page.text), self.until_zero)

        await repeat_until(session, attempt, IDLE_S)


@verb("metric_change", example="{before: first, after: second, by: 3}")
@phrase("between {before:response} and {after:response} a metric rises by {by}")
@dataclass(frozen=True, slots=True)
class MetricChange:
    """Between two readings one metric rises by exactly this amount, whatever its name is."""

    before: ResponseName
    "The earlier reading."
    after: ResponseName
    "The later reading."
    by: int
    "By how much."

    def judge(self, view: Any, requirement: str) -> "list[Evidence]":
        pairs = zip(view.named(self.before), view.named(self.after), strict=False)
        return [self._compared(*pair).evidence(requirement, *pair) for pair in pairs]

    def _compared(self, before: KeptResponse, after: KeptResponse) -> Check:
        changes = rises(samples(before.text), samples(after.text))
        shown = (f"{name} by {rise:g}" for name, rise in sorted(changes.items()) if "_bucket" not in name)
        observed = ", ".join(shown) or "none that changed"
        return Check(self.by in changes.values(), f"a metric that rose by {self.by}", observed)


def rises(old: Mapping[str, float], new: Mapping[str, float]) -> dict[str, float]:
    """By how much each metric changed that did; one that is new began at 0."""
    found = {name: value - old.get(name, 0.0) for name, value in new.items()}
    return {name: rise for name, rise in found.items() if rise and math.isfinite(rise)}
