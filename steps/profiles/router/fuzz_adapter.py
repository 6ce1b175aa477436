"""How a generated request is adapted: it names a model of the backends that the suite plays, and requests of an operator are about backends,
keys and records that exist.

What is wrong with a request stays wrong. A backend that is degraded is made healthy again, and a key that is revoked was created for that.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import Request, Response, parse
from rollout_conformance.steps.http.keys import bearer
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.peers.completion_responses import NONCE
from rollout_conformance.steps.peers.scripted_backends import BackendResponse, BackendScript
from rollout_conformance.steps.profiles.chat.fuzz_adapter import generated_response
from rollout_conformance.steps.profiles.chat.requests import CHAT
from rollout_conformance.steps.profiles.parts import FuzzAdapter
from rollout_conformance.steps.profiles.router.context import RouterContext, RouterSession, RouterState

TEXT, ADMIN = "/v1/completions", "/v1/admin"
BACKENDS, KEYS = f"{ADMIN}/routing/backends", f"{ADMIN}/keys"
DEGRADE, HEAL, AUDIT = f"{BACKENDS}/{{name}}/degrade", f"{BACKENDS}/{{name}}/healthy", "/v1/audit/requests/{request_id}"
KEY = f"{KEYS}/{{key_id}}"
NONCE_TEXT = re.compile(NONCE.pattern.decode())
OWN_HEADER, TWICE = "X-API-Key", ("Idempotency-Key", "X-Request-Id")
UNKNOWN: Mapping[str, object] = {"rc_member": {"zero": 0, "none": None, "list": [False, ""]}}
LINES = (
    (BackendResponse(),),
    (BackendResponse(text="Fertig: 5 \u00b7 3 \U0001f680", members=UNKNOWN),),
    (BackendResponse(status=503), BackendResponse()),
    (BackendResponse(fault="reset"), BackendResponse(members=UNKNOWN)),
)
"""How the backends respond, in turn."""


class Adapter(FuzzAdapter[RouterState, RouterContext]):
    """How the generated requests of this profile are adapted."""

    def may_be_accepted(self, card: Card, body: object) -> bool:
        """Whether the router forwards whatever it receives."""
        return "no_validation" in card.capabilities

    async def adapt_request(self, session: RouterSession, generated: Any) -> str | None:
        """Change what is valid in a case of schemathesis, so that it is about something that exists."""
        context: RouterContext = session.context
        nonce = context.nonce()
        if context.key is not None and generated.headers is not None:
            generated.headers.pop(OWN_HEADER, None)  # an invented key would count instead of the right one
        if generated.path in (CHAT, TEXT):
            _to_backends(session, generated, nonce)
        elif generated.path == AUDIT:
            generated.path_parameters = {"request_id": await _recorded(session, nonce)}
        elif generated.path in (DEGRADE, HEAL):
            name = await _a_backend(session)
            generated.path_parameters = {"name": name} if name else generated.path_parameters
            session.state["degraded"] = name if generated.path == DEGRADE else None
        elif generated.path == KEY:
            generated.path_parameters = {"key_id": await _a_key(session, nonce)}
        elif generated.path == KEYS and isinstance(generated.body, dict):
            generated.body = _new_key(generated.body, nonce)
        return None

    async def ended(self, session: RouterSession, n: int, request: Request, response: Response, start: bool) -> None:
        """Record the response, and make a degraded backend healthy again."""
        await super().ended(session, n, request, response, start)
        body = parse(request.body) if request.path.partition("?")[0] in (CHAT, TEXT) else None
        requested = body if isinstance(body, dict) else {}
        session.state["responses"] = Responses.of([generated_response(n, requested, response)])
        if session.state.get("degraded"):
            await _ask(session, "POST", HEAL.format(name=session.state["degraded"]))


def _to_backends(session: RouterSession, generated: Any, nonce: str) -> None:
    """The backends recognise the requests of a case by the nonce in them."""
    for name in TWICE:
        if generated.headers is not None and name in generated.headers:
            generated.headers[name] = nonce  # for a repeated value the router would repeat its first response
    if not isinstance(generated.body, dict):
        return
    mine = json.loads(NONCE_TEXT.sub("rc-again", json.dumps(generated.body)))
    if isinstance(mine.get("model"), str) and mine["model"].strip():
        mine["model"] = session.context.model
    number = int(nonce.rpartition("-")[2].rstrip("x"))
    messages = mine.get("messages")
    if generated.path == CHAT and _is_conversation(messages):
        named = {"role": "user", "content": f"RouterSession {nonce}."}
        mine["messages"] = [named, *(messages if number % 2 else [])]
    elif generated.path == TEXT and mine.get("prompt") and isinstance(mine["prompt"], str):
        mine["prompt"] = f"Session {nonce}. {mine['prompt']}"
    else:
        mine["user"] = nonce
    script = BackendScript(nonce, session.trace, LINES[number % len(LINES)])
    session.state["script"], session.state["scripts"] = script, [script]
    session.context.backends.add(script)
    generated.body = mine


def _is_conversation(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _new_key(body: Mapping[str, Any], nonce: str) -> dict[str, object]:
    """A key can be created only once, and a burst needs a rate."""
    mine = dict(body)
    if isinstance(mine.get("key"), str) and len(mine["key"]) >= 16:
        mine["key"] = f"{mine['key']}-{nonce}"
    if mine.get("rps") is None and type(mine.get("burst")) in (int, float) and mine["burst"] >= 1:
        del mine["burst"]
    return mine


async def _ask(session: RouterSession, method: str, path: str, body: object = None, request_id: str = "") -> Any:
    """The body of the response to a request of the suite."""
    key = session.context.key
    headers = {"content-type": "application/json", **bearer(key)}
    headers |= {"x-request-id": request_id} if request_id else {}
    sent = Request(method, path, tuple(headers.items()), json.dumps(body).encode() if body is not None else b"")
    response = session.trace.exchanges[await session.send(sent, rollout="-")].response
    return parse(response.body) if response is not None else None


async def _recorded(session: RouterSession, nonce: str) -> str:
    """The id of a request that succeeded."""
    hello = {"model": session.context.model, "messages": [{"role": "user", "content": "Hello!"}]}
    await _ask(session, "POST", CHAT, hello, nonce)
    return nonce


async def _a_backend(session: RouterSession) -> str | None:
    listed = await _ask(session, "GET", BACKENDS)
    try:
        return str(listed["data"][0]["name"])
    except (KeyError, IndexError, TypeError):
        return None


async def _a_key(session: RouterSession, nonce: str) -> str:
    """The id of a key that no other request uses."""
    made = await _ask(session, "POST", KEYS, {"org": nonce})
    return str(made.get("id")) if isinstance(made, dict) else nonce
