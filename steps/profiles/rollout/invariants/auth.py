"""Keys: each call carries its own rollout's key and no other, and no key shows up where anybody can read it."""

from collections.abc import Iterator
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.http.keys import recognisable
from rollout_conformance.steps.peers.trainer import NONCE
from rollout_conformance.steps.profiles.rollout.invariants.common import broken, satisfied, show
from rollout_conformance.steps.profiles.rollout.view import Answer, CaseView, Chat, Post, Rollout

CARRIED = {"sync": "166", "callback": "168", "routed": "210", "leased": "271"}


def auth(view: CaseView) -> Iterator[Evidence]:
    for rollout in view.rollouts.values():
        for chat in rollout.chats:
            yield _host(rollout, chat)
            if not _left_out(rollout, chat):
                yield _carried(view, rollout, chat, CARRIED[view.dialect])
                yield from _borrowed(rollout, chat)
        for post in (*rollout.posts, *rollout.grades):
            yield _carried(view, rollout, post, "212" if view.dialect == "routed" else "143")
            yield from _borrowed(rollout, post)


def _left_out(rollout: Rollout, chat: Chat) -> bool:
    """Whether a call followed a redirect and left its key behind, as ROLLOUT-067 wants."""
    request = chat.exchange.request
    host = rollout.given.base_url.partition("://")[2].partition("/")[0]
    redirected = request.path.startswith("/elsewhere") or (request.header("host") or host).lower() != host.lower()
    return redirected and request.header("authorization") is None


def _host(rollout: Rollout, chat: Chat) -> Evidence:
    """A key goes to the host of server_url and to no other, not even one that a redirect names."""
    host = rollout.given.base_url.partition("://")[2].partition("/")[0]
    asked, key = chat.exchange.request.header("host") or "", chat.exchange.request.header("authorization")
    if key is not None and asked.lower() != host.lower():
        return broken("066", f"the key sent to {host} alone", f"the key sent to {asked}", chat.n)
    return satisfied("066")


def _carried(view: CaseView, rollout: Rollout, call: Chat | Post, requirement: str) -> Evidence:
    key = rollout.given.report_key if isinstance(call, Post) else rollout.given.key
    seen = call.exchange.request.header("authorization")
    if not key:
        if seen is None or (key == "" and seen.strip() == "Bearer"):
            return satisfied("167")
        if view.target_key and view.target_key in seen:
            return _own_key_sent(call)
        return broken("167", "no Authorization header: no key was given", f"Authorization: {_masked(seen)}", call.n)
    scheme, _, token = (seen or "").partition(" ")
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        return satisfied("167")  # no header can carry it; what a server makes of such a key is not agreed
    if scheme.lower() == "bearer" and token == key:
        return satisfied(requirement)
    if view.target_key and token == view.target_key:
        return _own_key_sent(call)
    if _of_another(token, rollout):
        return broken(
            "176", f"the key of this rollout, {_masked(key)}", f"the key of another, {_masked(token)}", call.n
        )
    observed = "no Authorization header" if seen is None else f"Authorization: {_masked(seen)}"
    return broken(requirement, f"Authorization: Bearer {_masked(key)}", observed, call.n)


def _own_key_sent(call: Chat | Post) -> Evidence:
    return broken("177", "the trainer's key", "the key that the server asks of its own callers", call.n)


def _of_another(token: str, rollout: Rollout) -> bool:
    """Whether it is the key of another rollout: each has the nonce of its own in it."""
    found = NONCE.search(token.encode("utf-8", "replace"))
    return found is not None and found.group().decode() != rollout.given.nonce


def _borrowed(rollout: Rollout, call: Chat | Post) -> Iterator[Evidence]:
    """A rollout without a key that sends one has it from another."""
    token = (call.exchange.request.header("authorization") or "").partition(" ")[2]
    if not rollout.given.key and _of_another(token, rollout):
        yield broken("176", "no key of another rollout", f"the key {_masked(token)}", call.n)


def secrets(view: CaseView) -> Iterator[Evidence]:
    """No key in a body that the server writes, nor in its log."""
    log = view.log.encode("utf-8", "replace")
    for rollout in view.rollouts.values():
        for key in recognisable([rollout.given.key, view.target_key]):
            leak = next(_leaks(rollout, key.encode("utf-8", "replace"), log), None)
            if leak is not None:
                where, *n = leak
                yield broken("175", "no key in anything that the server writes", f"{_masked(key)} in {where}", *n)
            elif rollout.chats:
                yield satisfied("175")


def _leaks(rollout: Rollout, key: bytes, log: bytes) -> Iterator[tuple[Any, ...]]:
    """Where a key stands that should not, each with the number of its exchange."""
    for answer in (*rollout.starts, *rollout.polls):
        if answer.exchange.response is not None and key in answer.exchange.response.body and not quotes(answer, key):
            yield "an answer to us", answer.n
    calls: tuple[Chat | Post, ...] = (*rollout.chats, *rollout.posts)
    yield from (("the body of a call to the trainer", call.n) for call in calls if key in call.exchange.request.body)
    if key in log:
        yield ("the log of the server",)


def quotes(answer: Answer, key: bytes) -> bool:
    """Whether a refusal only gives a caller's own body back, as stock validation errors do: nobody else learns of the key."""
    return answer.status is not None and 400 <= answer.status < 500 and key in answer.exchange.request.body


def isolation(view: CaseView) -> Iterator[Evidence]:
    """Nothing of another rollout: every rollout's texts and ids carry a nonce of its own."""
    for rollout in view.rollouts.values():
        own = rollout.given.nonce.encode()
        strangers = 0
        results = (answer for answer in (*rollout.starts, *rollout.polls) if answer.status == 200)
        calls: tuple[Chat | Post | Answer, ...] = (*rollout.chats, *rollout.posts, *results)
        for call in calls:
            body = call.exchange.request.body if not call.exchange.to_target else _body(call)
            foreign = next((found for found in NONCE.findall(body) if found != own), None)
            if foreign is not None:
                strangers += 1
                observed = f"text of rollout {foreign.decode()} in a message of rollout {own.decode()}"
                yield broken("159", "only messages of this rollout", observed, call.n)
        if not strangers and len(view.rollouts) > 1:
            yield satisfied("159")
            yield satisfied("176")


def _body(call: Chat | Post | Answer) -> bytes:
    response = call.exchange.response
    return response.body if response is not None else b""


def _masked(secret: str) -> str:
    """Enough of a key to tell which one it is. Never the whole."""
    return show(secret if len(secret) <= 4 else f"{secret[:7]}***")
