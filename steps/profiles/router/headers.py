"""What a case may demand of headers, ids and bodies on their way through a router."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import listed, mapping, text
from rollout_conformance.steps.http.checks import verdict
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.expectations import plan
from rollout_conformance.steps.sse.streams import DONE

ID = "x-request-id"
SAFE = re.compile(r"[\x21-\x7e]{1,200}")


def told(view: CaseView, reply: ChatResponse, header: str) -> str | None:
    response = view.trace.exchanges[reply.n].response
    return response.header(header) if response else None


@dataclass(frozen=True, slots=True)
class NotPassed:
    """None of these headers reaches an engine, and a request does."""

    headers: tuple[str, ...]

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        asked = plan(view).asked
        found = sorted({name for _, request in asked for name in self.headers if request.header(name) is not None})
        expected = f"a request at an engine without {', '.join(self.headers)}"
        observed = f"with {', '.join(found)}" if found else "no request"
        yield Satisfied(requirement) if asked and not found else Finding(requirement, expected, observed)


@dataclass(frozen=True, slots=True)
class SameId:
    """The id that the client gave to its request comes back in `X-Request-Id`, in an error and a stream as well."""

    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            given = view.trace.exchanges[reply.n].request.header(ID)
            back = told(view, reply, ID)
            yield verdict(requirement, back == given, f"X-Request-Id: {show(given)}", show(back), reply)


@dataclass(frozen=True, slots=True)
class SafeId:
    """An id that no log should hold is replaced by one that it may: in the answer, and at the engines."""

    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            given, back = view.trace.exchanges[reply.n].request.header(ID), told(view, reply, ID)
            there = [request.header(ID) for _, request in plan(view).asked]
            ok = bool(back) and bool(SAFE.fullmatch(back or "")) and given not in (back, *there)
            expected = "an id of the router's own, up to 200 letters of ASCII without a space"
            yield verdict(requirement, ok, expected, f"X-Request-Id: {show(back)}, at engines {show(there)}", reply)


@dataclass(frozen=True, slots=True)
class IdAtEngine:
    """The engine gets the id that the client gets."""

    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            back = told(view, reply, ID)
            there = [request.header(ID) for _, request in plan(view).asked]
            ok = bool(back) and bool(there) and set(there) == {back}
            yield verdict(requirement, ok, f"X-Request-Id: {show(back)} at the engine", show(there), reply)


@dataclass(frozen=True, slots=True)
class IdInError:
    """The body of an error names the id of its request."""

    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            back = told(view, reply, ID)
            ok = bool(back) and str(back) in reply.text
            yield verdict(requirement, ok, f"{show(back)} in the body", show(reply.body), reply)


@dataclass(frozen=True, slots=True)
class HeaderIs:
    """The answer has this header, with one of these values where some are given."""

    name: str
    values: tuple[str, ...] = ()
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            value = told(view, reply, self.name.lower())
            ok = value is not None and (not self.values or value in self.values)
            expected = f"{self.name}: {' or '.join(self.values) or 'anything'}"
            yield verdict(requirement, ok, expected, show(value), reply)


@dataclass(frozen=True, slots=True)
class Framed:
    """The answer has one length: no Content-Length beside a Transfer-Encoding, and none of another body than came."""

    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            exchange = view.trace.exchanges[reply.n]
            if exchange.response is None:
                yield verdict(requirement, False, "an answer that can be read", str(exchange.fault), reply)
                continue
            length, chunked = told(view, reply, "content-length"), told(view, reply, "transfer-encoding")
            whole = told(view, reply, "content-encoding") is None
            right = length is None or not whole or length == str(len(exchange.response.body))
            observed = f"Content-Length {length}, Transfer-Encoding {chunked}, {len(exchange.response.body)} bytes"
            yield verdict(
                requirement, right and not (length and chunked), "one length, that of the body", observed, reply
            )


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the answer, wherever in it, is one of these values, or none of those."""

    member: str
    one_of: tuple[Any, ...] = ()
    none_of: tuple[Any, ...] = ()
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            value = next(_named(reply.body, self.member), "absent")
            ok = (not self.one_of or value in self.one_of) and value not in ("absent", *self.none_of)
            expected = f"{self.member}: {show(self.one_of) if self.one_of else 'none of ' + show(self.none_of)}"
            yield verdict(requirement, ok, expected, show(value), reply)


def _named(value: Any, name: str) -> Iterator[Any]:
    """Whatever stands under this name, the outermost first."""
    if name in mapping(value):
        yield value[name]
    for inner in mapping(value).values() if isinstance(value, Mapping) else listed(value):
        yield from _named(inner, name)


@dataclass(frozen=True, slots=True)
class Joined:
    """A stream that two engines gave is one: all of the text once, one id, one role, one end, and the usage of the whole."""

    text: str
    of: str = "it"
    usage: Mapping[str, int] = field(default_factory=dict)

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            expected = reply.first_choice.content
            yield verdict(requirement, expected == self.text, show(self.text), show(expected), reply)
            ids = {str(mapping(data).get("id")) for data in reply.data if isinstance(data, Mapping)}
            roles = [part for part in reply.deltas if text(mapping(part.get("delta")).get("role"))]
            ends = [part for part in reply.deltas if part.get("finish_reason")]
            one = len(ids) == len(roles) == len(ends) == 1 and reply.data[-1:] == [DONE]
            observed = f"{len(ids)} ids, {len(roles)} roles, {len(ends)} finish_reasons, the last event {show(reply.data[-1:])}"
            yield verdict(requirement, one, "one id, one role, one finish_reason, [DONE] at the end", observed, reply)
            if self.usage:
                ok = all(reply.usage.get(name) == value for name, value in self.usage.items())
                yield verdict(requirement, ok, show(dict(self.usage)), show(reply.usage), reply)
