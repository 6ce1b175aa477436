"""The responses of a case: each with the request that it answers, kept under a name, and found again by that name or by its place."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import uuid4

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JsonObject, mapping
from rollout_conformance.steps.engine.phrase_types import ORDINALS
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.trace import Exchange, Headers, NotJson, parse

COPY = "#"  # the responses to a request that is sent three times are called name#1, name#2 and name#3
LAST, BOTH, ALL = "it", "both", "all"
EXPLAINS = ("error", "message", "detail", "title", "errors")  # OpenAI, FastAPI, RFC 9457 and others


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """One response. `n` is the number of its exchange, `request` the JSON object that was sent (empty for any other body), `status` None
    where there was no response, `body` the JSON of the response or a `NotJson` with the reason why it is none. `fault` says why a response
    was not read to its end. `is_reading` marks a page of metrics that the suite read for itself: no case is about how it was answered.
    `elapsed_s` is the time from the request to the end of the response, `late_s` by how much of it the suite itself was late."""

    name: str
    n: int
    request: Mapping[str, Any]
    status: int | None
    body: object
    raw: bytes = field(default=b"", kw_only=True)
    headers: Headers = field(default=(), kw_only=True)
    fault: str | None = field(default=None, kw_only=True)
    is_reading: bool = field(default=False, kw_only=True)
    elapsed_s: float | None = field(default=None, kw_only=True)
    late_s: float = field(default=0.0, kw_only=True)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def fields(self) -> JsonObject:
        """The members of the body; none where it is not an object."""
        return mapping(self.body)

    @property
    def text(self) -> str:
        """The body as text; nothing of a body that is none."""
        return self.raw.decode("utf-8", "replace") if self.raw else json.dumps(self.body, default=lambda _: "")

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_client_error(self) -> bool:
        return self.status is not None and 400 <= self.status < 500

    @property
    def is_readable(self) -> bool:
        """Whether the body is such as the request asks for; a kind of response with a form of its own says so."""
        return True

    @property
    def explains_error(self) -> bool:
        """Whether the body says in JSON what is wrong, by any of the names that are usual for it."""
        return any(self.fields.get(name) for name in EXPLAINS)

    def shown(self) -> str:
        """The status and the body, as a message shows them."""
        if self.status is None:
            return f"no response ({self.fault})" if self.fault else "no response"
        if self.fault:
            return f"{self.status}, {len(self.raw)} bytes of its body, and then: {self.fault}"
        if isinstance(self.body, NotJson) or self.body is None:
            return f"{self.status}: {show(self.raw.decode('utf-8', 'replace')) if self.raw else 'no body'}"
        return f"{self.status}: {show(self.body)}"


R = TypeVar("R", bound=KeptResponse)


@dataclass(slots=True)
class Responses(Generic[R]):
    """The responses of a case. `order` are the names of its requests in the order in which the case sends them; those to one request that
    is sent several times share their place."""

    by_name: dict[str, R] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, kept: Iterable[R]) -> "Responses[R]":
        made = cls()
        for response in kept:
            made.keep(response)
        return made

    def reserve(self, name: str = "") -> str:
        """Note that a request is sent now; gives its name: its own, or one by its place."""
        base = base_of(name) or f"request {len(self.order) + 1}"
        if base not in self.order:
            self.order.append(base)
        return name or base

    def keep(self, response: R) -> None:
        """A later response of the same name replaces the earlier one."""
        self.reserve(response.name)
        self.by_name[response.name] = response

    def named(self, *words: str) -> list[R]:
        """The responses that these words mean: a name, `name#2`, `first`, `second`, ..., `it` (the last one), `both` or `all`.
        Those to one request that is sent several times are in the order in which it was sent."""
        return [response for word in words for response in self._of(word)]

    def means(self, words: Iterable[str], response: R) -> bool:
        """Whether these words mean this response, among others. A case may have hundreds: none but this one is looked at."""
        return any(word == response.name or base_of(response.name) in self._bases(word) for word in words)

    def _bases(self, word: str) -> list[str]:
        """The names of requests that a word means, which is not the name of a response."""
        if word in self.by_name:
            return []
        known = {base_of(name) for name in self.by_name} if word == LAST else set()
        return meant(word, [one for one in self.order if one in known] if word == LAST else self.order)

    def _of(self, word: str) -> list[R]:
        if word in self.by_name:
            return [self.by_name[word]]
        bases = self._bases(word)
        kept = [one for base in bases for one in self.by_name.values() if base_of(one.name) == base]
        return sorted(kept, key=lambda one: (bases.index(base_of(one.name)), one.n))

    def __iter__(self) -> Iterator[R]:
        return iter(sorted(self.by_name.values(), key=lambda one: one.n))

    def __contains__(self, name: str) -> bool:
        return name in self.by_name


def base_of(name: str) -> str:
    """The name of a request, without the number of a copy."""
    return name.partition(COPY)[0]


def meant(word: str, order: list[str]) -> list[str]:
    """The names of the requests that a word means, of those that were sent in this order; none where there is no such request."""
    if word in order:
        return [word]
    if word == LAST:
        return order[-1:]
    if word in (BOTH, ALL):
        return list(order)
    at = ORDINALS.index(word) if word in ORDINALS else len(order)
    return order[at : at + 1]


def responses_of(session: Session) -> Responses[Any]:
    """The responses of a case while it runs."""
    found: Responses[Any] = session.state.setdefault("responses", Responses())
    return found


SESSION_NAME = "session_name"


def session_name(session: Session) -> str:
    """The name of the case's own session: the one that the profile gave it, else one that no other case has."""
    return str(session.state.setdefault(SESSION_NAME, f"rc-{uuid4().hex[:12]}"))


def body_of(exchange: Exchange) -> object:
    """The body of the response of an exchange as JSON; a `NotJson` with the reason where there is none."""
    return parse(exchange.response.body) if exchange.response else NotJson(exchange.fault or "no response")


def kept(
    session: Session, name: str, n: int, request: Mapping[str, object] | None = None, is_reading: bool = False
) -> KeptResponse:
    """The response of exchange `n`, kept under a name."""
    exchange = session.trace.exchanges[n]
    response = exchange.response
    found = KeptResponse(
        name,
        n,
        request or {},
        response.status if response else None,
        body_of(exchange),
        raw=response.body if response else b"",
        headers=response.headers if response else (),
        fault=exchange.fault,
        is_reading=is_reading,
        elapsed_s=exchange.elapsed_s,
        late_s=session.late(session.trace.epoch + exchange.began),
    )
    responses_of(session).keep(found)
    return found
