"""Expectations about the choice of a backend: shares, and which backend receives what."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import exp, lgamma, log

from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping, mappings
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.chance import FALSE_POSITIVE_RATE
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.backend_requests import script
from rollout_conformance.steps.profiles.router.backends import BackendName


@verb("backend_share", example=("{backend: b, share: 0.9}", "{backend: a, share: 0.5}"))
@phrase("the requests are shared evenly between both backends", backend="a", share=0.5)
@dataclass(frozen=True, slots=True)
class BackendShare:
    """Of all requests of the case a backend receives about this share: neither so few nor so many as chance rarely gives."""

    backend: BackendName
    "The backend."
    share: float
    "Its share of the requests, from 0 to 1."
    false_positive_rate: float = FALSE_POSITIVE_RATE
    "How rarely chance may give a count outside of the bounds."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        counts = Counter(name for name, _ in script(view).received)
        total, got = sum(counts.values()), counts[self.backend]
        least, most = bounds(total, self.share, self.false_positive_rate)
        expected = f"{least} to {most} of {total} requests at backend {self.backend}, whose share is {self.share:.0%}"
        yield evidence(requirement, least <= got <= most, expected, f"{dict(counts)}")


def bounds(total: int, share: float, rate: float = FALSE_POSITIVE_RATE) -> tuple[int, int]:
    """The counts that draws of this share give, except at this rate."""
    likely = [likely_count(total, k, share) for k in range(total + 1)]
    least = next((k for k, below in enumerate(accumulate(likely)) if below > rate / 2), 0)
    most = next((total - k for k, above in enumerate(accumulate(reversed(likely))) if above > rate / 2), total)
    return least, most


def likely_count(total: int, k: int, share: float) -> float:
    """How likely `k` of `total` draws of this share are. By logarithms: the ways to choose thousands are more than a float holds."""
    if share in (0.0, 1.0):
        return float(k == total * share)
    ways = lgamma(total + 1) - lgamma(k + 1) - lgamma(total - k + 1)
    return exp(ways + k * log(share) + (total - k) * log(1 - share))


@verb("one_backend", short="of", example=("long", "{backend: a}"))
@phrase("one backend receives all requests")
@phrase("one backend receives all requests of the conversation", of=("it",))
@dataclass(frozen=True, slots=True)
class OneBackend:
    """All requests go to the same backend."""

    of: tuple[ResponseName, ...] = ()
    "The responses whose requests are meant, each at the backend that it reached last. Without any, each request that reached a backend."
    backend: BackendName | None = None
    "The backend that has to be the one."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        names = served_by(view, *self.of) if self.of else [name for name, _ in script(view).received]
        counts = Counter(names)
        ok = len(counts) == 1 and self.backend in (None, *counts)
        expected = f"one backend for {len(names)} requests" + (f": {self.backend}" if self.backend else "")
        yield evidence(requirement, ok, expected, ", ".join(names) if self.of and names else f"{dict(counts)}")


@verb("other_backend", example="{of: after, than: before}")
@phrase("{of:response} comes from another backend than {than:response}")
@dataclass(frozen=True, slots=True)
class OtherBackend:
    """A response comes from another backend than an earlier one."""

    of: ResponseName
    "The later response."
    than: ResponseName
    "The earlier response."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        before, after = served_by(view, self.than), served_by(view, self.of)
        ok = bool(before) and bool(after) and after[-1] != before[-1]
        observed = f"before {', '.join(before) or 'none'}, after {', '.join(after) or 'none'}"
        yield evidence(requirement, ok, "another backend for the later request", observed)


def served_by(view: CaseView, *names: str) -> list[str]:
    """The backend that each of these requests reached last; without those that reached none."""
    bodies = [view.trace.exchanges[response.n].request.body for response in view.named(*names)]
    questions = [mapping(parse(body)).get("messages") for body in bodies]
    reached = {
        _as_text(mapping(parse(request.body)).get("messages")): backend for backend, request in script(view).received
    }
    found = [reached.get(_as_text(question)) for question in questions]
    return [backend for backend in found if backend is not None]


def _as_text(messages: object) -> str:
    """Messages as one text: equal ones have the same."""
    return json.dumps(messages, sort_keys=True)


@verb("models_listed", short="models", example="[rc-model, rc-model-a]")
@phrase("{of:response} lists the models {models:names}")
@dataclass(frozen=True, slots=True)
class ModelsListed(ResponseExpectation):
    """The list of models has each of these ids exactly once."""

    models: tuple[str, ...]
    "The ids."

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        ids = [one.get("id") for one in mappings(response.fields.get("data"))]
        counts = Counter(one for one in ids if isinstance(one, str))
        return Check(all(counts[name] == 1 for name in self.models), f"each once: {', '.join(self.models)}", show(ids))
