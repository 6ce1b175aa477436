"""What holds in every case: no response shows internals of the backends or an API key, and no request brings a client's key to a backend."""

import re
from collections.abc import Iterable, Iterator

from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.trace import Request
from rollout_conformance.steps.http.keys import WRONG_KEY, recognisable
from rollout_conformance.steps.peers.scripted_backends import BackendScript
from rollout_conformance.steps.profiles.chat.invariants.errors import request_text
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.card import RouterCard
from rollout_conformance.steps.profiles.router.context import RouterContext

SECRET = "rc-engine-internals"


def no_leaks(view: CaseView) -> Iterator[Evidence]:
    context = view.context
    assert isinstance(context, RouterContext)
    for response in view.responses:
        text = response.text
        if response.status is not None and response.status >= 500:
            found = _internals(text, context.ports) or internal_error_patterns.leaked(
                text, internal_error_patterns.GENERAL, request_text(view, response)
            )
            excerpt = internal_error_patterns.excerpt(text, found) if found else ""
            cap = "should" if _forwarded(view, text) else None
            yield evidence("ROUTER-009", not found, "an error in the router's own words", excerpt, response.n, cap=cap)
        keys = recognisable([context.key, WRONG_KEY, *_router_card(view).backend_keys.values()])
        shown = any(key in part for key in keys for part in (text, *(value for _, value in response.headers)))
        yield evidence("ROUTER-010", not shown, "no API key in a response", "an API key", response.n)


def _forwarded(view: CaseView, text: str) -> bool:
    """Whether an error is the body that a backend returned, as it is: many proxies forward a 5xx."""
    scripts: list[BackendScript] = view.extra.get("scripts", [])
    return any(text == line.body for script in scripts for line in script.played if line.body)


def _internals(text: str, ports: Iterable[str]) -> str | None:
    """The port of a backend, or internals that it returned."""
    found = (re.search(rf":{port}(?!\d)", text) for port in ports)
    return next((one.group() for one in found if one), SECRET if SECRET in text else None)


def keys_of_backends_apart(view: CaseView) -> Iterator[Evidence]:
    """Each backend may learn its own key only."""
    card = _router_card(view)
    for backend, request in _received(view) if len(set(card.backend_keys.values())) > 1 else ():
        own = card.backend_keys.get(backend)  # backends may share a key
        others = {key: name for name, key in card.backend_keys.items() if key and key != own}
        found = [(name, others[key]) for name, value in request.headers for key in others if key in value]
        observed = f"that of backend {found[0][1]} in {found[0][0]!r} at backend {backend}" if found else ""
        yield evidence("ROUTER-069", not found, "no key of another backend", observed)


def _router_card(view: CaseView) -> RouterCard:
    card = view.context.card
    assert isinstance(card, RouterCard)
    return card


def _received(view: CaseView) -> Iterator[tuple[str, Request]]:
    scripts: list[BackendScript] = view.extra.get("scripts", [])
    return (one for script in scripts for one in script.received)


def no_client_keys_forwarded(view: CaseView) -> Iterator[Evidence]:
    """A client's key is for the router only: those who run a backend must not learn it."""
    keys = {key for key in (view.context.key, *view.context.card.keys.values()) if key}
    for backend, request in _received(view) if keys else ():
        found = [name for name, value in request.headers if any(key in value for key in keys)]
        observed = f"one in {found[0]!r} at backend {backend}" if found else ""
        yield evidence("ROUTER-052", not found, "no API key of a client at a backend", observed)
