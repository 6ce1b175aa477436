"""What holds for every answer of a router, that nothing of the engines behind it is shown and no key; and for every request at an engine,
that it brings no key of a client."""

import re
from collections.abc import Iterable, Iterator

from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.http.keys import WRONG_KEY
from rollout_conformance.steps.peers.scripted_backends import Plan
from rollout_conformance.steps.profiles.chat.invariants.errors import request_text as sent
from rollout_conformance.steps.profiles.chat.view import CaseView
from rollout_conformance.steps.profiles.router.context import RouterContext
from rollout_conformance.steps.profiles.router.expectations import PassedOn

SECRET = "rc-engine-internals"
GENERATED = "generated"  # the reply to a request that nobody wrote


def shown(view: CaseView) -> Iterator[Evidence]:
    context = view.context
    assert isinstance(context, RouterContext)
    for reply in view.judged:
        text = reply.text
        if reply.status is not None and reply.status >= 500:
            found = _place(text, context.ports) or internal_error_patterns.leaked(
                text, internal_error_patterns.GENERAL, sent(view, reply)
            )
            yield (
                Finding(
                    "ROUTER-009",
                    "an error in the router's own words",
                    internal_error_patterns.excerpt(text, found),
                    (reply.n,),
                )
                if found
                else Satisfied("ROUTER-009")
            )
        keys = [key for key in (context.key, WRONG_KEY) if key]
        if any(key in text for key in keys):
            yield Finding("ROUTER-010", "no key in an answer", "a key", (reply.n,))
        else:
            yield Satisfied("ROUTER-010")


def _place(text: str, ports: Iterable[str]) -> str | None:
    """Where an engine is, or what it said of its own inside."""
    found = (re.search(rf":{port}(?!\d)", text) for port in ports)
    return next((one.group() for one in found if one), SECRET if SECRET in text else None)


def kept(view: CaseView) -> Iterator[Evidence]:
    """A key opens the router and nothing else: whoever runs an engine must not get to know it."""
    plans: list[Plan] = view.extra.get("plans", [])
    keys = {key for key in (view.context.key, *view.context.card.keys.values()) if key}
    for engine, request in (one for plan in plans if keys for one in plan.asked):
        found = [name for name, value in request.headers if any(key in value for key in keys)]
        expected = "no key of a client at an engine"
        yield (
            Finding("ROUTER-052", expected, f"one in {found[0]!r} at engine {engine}")
            if found
            else Satisfied("ROUTER-052")
        )


def passed_on(view: CaseView) -> Iterator[Evidence]:
    """Whatever was generated reached an engine as it was; what a written case sends is for the case to judge."""
    plan = view.extra.get("plan")
    if GENERATED in view.responses and plan is not None and plan.asked:
        yield from PassedOn(GENERATED).judge(view, "ROUTER-001")
