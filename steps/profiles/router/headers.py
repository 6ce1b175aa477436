"""Expectations about the headers that a router forwards, adds and removes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.backend_requests import script
from rollout_conformance.steps.profiles.router.card import RouterCard

ID = "x-request-id"
SAFE = re.compile(r"[\x21-\x7e]{1,200}")


@verb("headers_not_forwarded", short="headers", example="[te, keep-alive]")
@phrase("the headers {headers:names} do not reach a backend")
@dataclass(frozen=True, slots=True)
class HeadersNotForwarded:
    """A request reaches a backend, and none of these headers does."""

    headers: tuple[str, ...]
    "Names of headers."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        received = script(view).received
        found = sorted({name for _, request in received for name in self.headers if request.header(name) is not None})
        expected = f"a request at a backend without {', '.join(self.headers)}"
        observed = f"with {', '.join(found)}" if found else "no request"
        yield evidence(requirement, bool(received) and not found, expected, observed)


@verb("own_keys_sent")
@phrase("each request at a backend has the key of that backend")
@dataclass(frozen=True, slots=True)
class OwnKeysSent:
    """Each request at a backend has the key that the target card names for it, in any header."""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        assert isinstance(view.context.card, RouterCard)
        keys = view.context.card.backend_keys
        known = [(name, keys[name], request) for name, request in script(view).received if keys.get(name)]
        without = [name for name, key, request in known if not any(key in value for _, value in request.headers)]
        if known:
            yield evidence(requirement, not without, "the key of the backend", f"none at {', '.join(without)}")


def _sent(view: CaseView, response: KeptResponse) -> str | None:
    """The id that the client sent."""
    return view.trace.exchanges[response.n].request.header(ID)


def _at_backends(view: CaseView) -> list[str | None]:
    """The ids of all requests at the backends."""
    return [request.header(ID) for _, request in script(view).received]


@verb("request_id_returned", short="of", example="all")
@phrase("{of:response} has the X-Request-Id of its request")
@phrase("{of:several_responses} have the X-Request-Id of their request")
@dataclass(frozen=True, slots=True)
class RequestIdReturned(ResponseExpectation):
    """The response has the `X-Request-Id` that the client sent; error responses and streams as well."""

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        sent, returned = _sent(view, response), response.header(ID)
        return Check(returned == sent, f"X-Request-Id: {show(sent)}", show(returned))


@verb("request_id_replaced", short="of", example="all")
@phrase("{of:response} has an X-Request-Id that is safe to log, instead of that of its request")
@dataclass(frozen=True, slots=True)
class RequestIdReplaced(ResponseExpectation):
    """The router replaces an `X-Request-Id` that is not safe to log by one that is, in the response and at the backends."""

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        sent, returned, there = _sent(view, response), response.header(ID), _at_backends(view)
        ok = bool(SAFE.fullmatch(returned or "")) and sent not in (returned, *there)
        expected = "an id of the router's own: 1 to 200 visible ASCII characters"
        return Check(ok, expected, f"X-Request-Id: {show(returned)}, at backends {show(there)}")


@verb("request_id_forwarded", short="of", example="all")
@phrase("the backends receive the X-Request-Id of {of:responses}")
@dataclass(frozen=True, slots=True)
class RequestIdForwarded(ResponseExpectation):
    """The backends receive the `X-Request-Id` that the response has."""

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        returned, there = response.header(ID), _at_backends(view)
        ok = bool(returned) and bool(there) and set(there) == {returned}
        return Check(ok, f"X-Request-Id: {show(returned)} at the backend", show(there))


@verb("request_id_in_error", short="of", example="all")
@phrase("the error body of {of:responses} has its X-Request-Id")
@dataclass(frozen=True, slots=True)
class RequestIdInError(ResponseExpectation):
    """The body of an error response contains the `X-Request-Id` of the response."""

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        returned = response.header(ID)
        return Check(
            bool(returned) and str(returned) in response.text,
            f"{show(returned) if returned else 'the X-Request-Id of the response'} in the body",
            show(response.body),
        )


@verb("consistent_framing", short="of", example="all")
@phrase("{of:response} has one length, that of its body")
@phrase("{of:several_responses} have one length, that of their body")
@dataclass(frozen=True, slots=True)
class ConsistentFraming(ResponseExpectation):
    """The response has one length: no `Content-Length` beside `Transfer-Encoding`, and none that is not that of the body."""

    def check(self, response: KeptResponse, view: CaseView) -> Check:
        exchange = view.trace.exchanges[response.n]
        if exchange.response is None:
            return Check(False, "a response that can be read", str(exchange.fault))
        length, chunked = response.header("content-length"), response.header("transfer-encoding")
        size, encoded = len(exchange.response.body), response.header("content-encoding") is not None
        ok = (length is None or encoded or length == str(size)) and not (length and chunked)
        return Check(
            ok, "one length, that of the body", f"Content-Length {length}, Transfer-Encoding {chunked}, {size} bytes"
        )
