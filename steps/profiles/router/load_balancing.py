"""What a case may demand of the choice of an engine: shares, and who gets what."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.http.checks import verdict
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.expectations import likely_count, plan

RARE = 1e-4  # of right routers, so many are accused by chance


@dataclass(frozen=True, slots=True)
class Share:
    """Of all requests of the case the engine gets about `share`: not so few nor so many that chance gives them once in ten thousand."""

    engine: str
    share: float

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        counts = Counter(name for name, _ in plan(view).asked)
        total, got = sum(counts.values()), counts[self.engine]
        least, most = bounds(total, self.share)
        expected = f"{least} to {most} of {total} requests at engine {self.engine}, whose share is {self.share:.0%}"
        yield Satisfied(requirement) if least <= got <= most else Finding(requirement, expected, f"{dict(counts)}")


def bounds(total: int, share: float) -> tuple[int, int]:
    """The counts that a draw of this share gives, but for one in ten thousand."""
    likely = [likely_count(total, k, share) for k in range(total + 1)]
    least = next((k for k, below in enumerate(accumulate(likely)) if below > RARE / 2), 0)
    most = next((total - k for k, above in enumerate(accumulate(reversed(likely))) if above > RARE / 2), total)
    return least, most


@dataclass(frozen=True, slots=True)
class Nothing:
    """This engine gets no request of the case, and another one does."""

    engine: str

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        counts = Counter(name for name, _ in plan(view).asked)
        expected = f"every request at another engine than {self.engine}"
        ok = bool(counts) and self.engine not in counts
        yield Satisfied(requirement) if ok else Finding(requirement, expected, f"{dict(counts)}")


@dataclass(frozen=True, slots=True)
class AskedOf:
    """This engine got a request of the case."""

    engine: str

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        counts = Counter(name for name, _ in plan(view).asked)
        expected = f"a request at engine {self.engine}"
        yield Satisfied(requirement) if self.engine in counts else Finding(requirement, expected, f"{dict(counts)}")


@dataclass(frozen=True, slots=True)
class Together:
    """All requests of these conversations went to the engine that had the first one."""

    of: str = "talk"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        engines = served_by(view, self.of)
        expected = f"one engine for {len(engines)} requests that begin alike"
        ok = len(set(engines)) == 1
        yield (
            Satisfied(requirement)
            if ok
            else Finding(requirement, expected, f"they went to {', '.join(engines) or 'none'}")
        )


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The request `of` was answered by another engine than the request `than`."""

    of: str
    than: str

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        before, after = served_by(view, self.than), served_by(view, self.of)
        ok = bool(before) and bool(after) and after[-1] != before[-1]
        observed = f"before {', '.join(before) or 'none'}, after {', '.join(after) or 'none'}"
        yield Satisfied(requirement) if ok else Finding(requirement, "another engine for what goes on", observed)


def served_by(view: CaseView, name: str) -> list[str]:
    """The engine that each of these requests reached last, as far as it reached one."""
    bodies = [view.trace.exchanges[reply.n].request.body for reply in view.named(name)]
    questions = [mapping(parse(body)).get("messages") for body in bodies]
    reached = {_as_text(mapping(parse(request.body)).get("messages")): engine for engine, request in plan(view).asked}
    found = [reached.get(_as_text(question)) for question in questions]
    return [engine for engine in found if engine is not None]


def _as_text(messages: Any) -> str:
    """Messages as one text: equal ones have the same."""
    return json.dumps(messages, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Lists:
    """The list of models holds all of these, each once."""

    models: tuple[str, ...]
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            names = [one.get("id") for one in mappings(reply.fields.get("data"))]
            counts = Counter(name for name in names if isinstance(name, str))
            ok = all(counts[name] == 1 for name in self.models)
            yield verdict(requirement, ok, f"each once: {', '.join(self.models)}", show(names), reply)
