"""Which requirement a target broke first: what is broken later in the same cases often follows from it.

Pure, and no judgement: nothing is dropped or excused. It decides the order in which findings are shown, and how much of each.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.failure_report import WORDS, Group, collapse
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.trace import Trace

LAST = 1_000_000  # the place of what no exchange shows: the end of a case
BEHIND = 0.5  # an exchange, and before the next one


@dataclass(frozen=True, slots=True)
class Cause:
    """A requirement and the shapes in which it is broken, the gravest and most frequent one first. `cases` is how many break it; in
    `first` of them nothing is broken before it. `after` is a requirement that all of them break as well, and no later."""

    groups: tuple[Group, ...]
    cases: int
    first: int
    after: str | None = None

    @property
    def requirement(self) -> Requirement:
        return self.groups[0].requirement

    @property
    def level(self) -> str:
        return self.groups[0].level


def causes(outcomes: Sequence[Outcome], catalogue: Mapping[str, Requirement]) -> list[Cause]:
    """What is broken, the most likely first cause on top; what follows from it after it."""
    shapes: defaultdict[str, list[Group]] = defaultdict(list)
    for group in collapse(outcomes, catalogue):
        shapes[group.requirement.id].append(group)
    broken = [places for outcome in outcomes if (places := _places(outcome))]
    counted = Counter(name for places in broken for name in places)
    first = Counter(name for places in broken for name, place in places.items() if place == min(places.values()))
    explained = {other for name in shapes for other in catalogue[name].explains}
    ordered = sorted(
        shapes, key=lambda name: (_grave(shapes[name]), name in explained, -first[name], -counted[name], name)
    )
    found: list[Cause] = []
    for name in ordered:
        leading = (one.requirement.id for one in found if one.after is None)
        after = next((other for other in leading if _follows(name, other, broken)), None)
        found.append(Cause(tuple(shapes[name]), counted[name], first[name], after))
    return found


def _grave(groups: Sequence[Group]) -> int:
    return min(list(WORDS).index(group.level) for group in groups)


def _places(outcome: Outcome) -> dict[str, float]:
    """The first exchange that shows each broken requirement of a case."""
    places: dict[str, float] = {}
    for finding in outcome.judgement.findings:
        if not finding.known:
            place = min((_place(n, outcome.trace) for n in finding.exchanges), default=LAST)
            places[finding.requirement] = min(place, places.get(finding.requirement, LAST))
    return places


def _place(n: int, trace: Trace | None) -> float:
    """Where an exchange stands in the order of events. What a target returns to a request that blocks until the result comes after all
    that it sent meanwhile, though the request came first."""
    exchange = trace.exchanges[n] if trace is not None and n < len(trace.exchanges) else None
    if trace is None or exchange is None or not exchange.to_target or exchange.ended is None:
        return n
    meanwhile = [one.n for one in trace.exchanges[n + 1 :] if one.began < exchange.ended]
    return max(meanwhile) + BEHIND if meanwhile else n


def _follows(name: str, other: str, broken: Iterable[Mapping[str, float]]) -> bool:
    """Whether every case that breaks `name` breaks `other` as well, and no later."""
    return all(other in places and places[other] <= places[name] for places in broken if name in places)
