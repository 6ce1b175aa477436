"""A generated request to a router: it names a model that the engines have, which the suite plays, and what an operator asks concerns things
that are there.

What is wrong with a request stays wrong. An engine that is taken out is put back, and a key that is revoked was made for that.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.trace import Request, Response, parse
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.peers.completion_responses import NONCE
from rollout_conformance.steps.peers.scripted_backends import BackendLine, Plan
from rollout_conformance.steps.profiles.chat.fuzz_adapter import about, began, is_start
from rollout_conformance.steps.profiles.chat.fuzz_adapter import generated_response as read
from rollout_conformance.steps.profiles.chat.requests import CHAT
from rollout_conformance.steps.profiles.router.context import RouterContext

TEXT, ADMIN = "/v1/completions", "/v1/admin"
BACKENDS, KEYS = f"{ADMIN}/routing/backends", f"{ADMIN}/keys"
DEGRADE, HEAL, AUDIT = f"{BACKENDS}/{{name}}/degrade", f"{BACKENDS}/{{name}}/healthy", "/v1/audit/requests/{request_id}"
KEY = f"{KEYS}/{{key_id}}"
NONCE_TEXT = re.compile(NONCE.pattern.decode())
OWN_HEADER, TWICE = "X-API-Key", ("Idempotency-Key", "X-Request-Id")
UNKNOWN: Mapping[str, Any] = {"rc_member": {"zero": 0, "none": None, "list": [False, ""]}}
LINES = (
    (BackendLine(),),
    (BackendLine(say="Fertig: 5 \u00b7 3 \U0001f680", put=UNKNOWN),),
    (BackendLine(status=503), BackendLine()),
    (BackendLine(loss="reset"), BackendLine(put=UNKNOWN)),
)
"""What the engines play, in turn: the first one asked, then the other."""

__all__ = ["about", "adapt_request", "began", "ended", "is_start"]


async def adapt_request(session: Session, generated: Any) -> str | None:
    """Change a schemathesis case, whatever is right in it, so that it meets what there is."""
    context: RouterContext = session.context
    nonce = context.nonce()
    if context.key is not None and generated.headers is not None:
        generated.headers.pop(OWN_HEADER, None)  # a key that was made up would count instead of the right one
    if generated.path in (CHAT, TEXT):
        _to_engines(session, generated, nonce)
    elif generated.path == AUDIT:
        generated.path_parameters = {"request_id": await _recorded(session, nonce)}
    elif generated.path in (DEGRADE, HEAL):
        name = await _an_engine(session)
        generated.path_parameters = {"name": name} if name else generated.path_parameters
        session.state["degraded"] = name if generated.path == DEGRADE else None
    elif generated.path == KEY:
        generated.path_parameters = {"key_id": await _a_key(session, nonce)}
    elif generated.path == KEYS and isinstance(generated.body, dict):
        generated.body = _new_key(generated.body, nonce)
    return None


def _to_engines(session: Session, generated: Any, nonce: str) -> None:
    """The engines know a request of ours by what is said in it."""
    for name in TWICE:
        if generated.headers is not None and name in generated.headers:
            generated.headers[name] = nonce  # a value that comes again would have the first answer repeated
    if not isinstance(generated.body, dict):
        return
    mine = json.loads(NONCE_TEXT.sub("rc-again", json.dumps(generated.body)))
    if isinstance(mine.get("model"), str) and mine["model"].strip():
        mine["model"] = session.context.model
    number = int(nonce.rpartition("-")[2].rstrip("x"))
    messages = mine.get("messages")
    if generated.path == CHAT and _is_conversation(messages):
        told = {"role": "user", "content": f"Session {nonce}."}
        mine["messages"] = [told, *(messages if number % 2 else [])]
    elif generated.path == TEXT and mine.get("prompt") and isinstance(mine["prompt"], str):
        mine["prompt"] = f"Session {nonce}. {mine['prompt']}"
    else:
        mine["user"] = nonce
    session.state["plan"] = Plan(nonce, session.trace, LINES[number % len(LINES)])
    session.state["plans"] = [session.state["plan"]]
    session.context.backends.enroll(session.state["plan"])
    generated.body = mine


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _new_key(body: Mapping[str, Any], nonce: str) -> dict[str, Any]:
    """A key is new only once, and a burst is one of a rate."""
    mine = dict(body)
    if isinstance(mine.get("key"), str) and len(mine["key"]) >= 16:
        mine["key"] = f"{mine['key']}-{nonce}"
    if mine.get("rps") is None and type(mine.get("burst")) in (int, float) and mine["burst"] >= 1:
        del mine["burst"]
    return mine


async def _ask(session: Session, method: str, path: str, body: Any = None, request_id: str = "") -> Any:
    """What the router answers to a request of ours."""
    key = session.context.key
    headers = [("content-type", "application/json")]
    headers += [("authorization", f"Bearer {key}")] if key else []
    headers += [("x-request-id", request_id)] if request_id else []
    sent = Request(method, path, tuple(headers), json.dumps(body).encode() if body is not None else b"")
    response = session.trace.exchanges[await session.send(sent, rollout="-")].response
    return parse(response.body) if response is not None else None


async def _recorded(session: Session, nonce: str) -> str:
    """The id of a request that was served."""
    hello = {"model": session.context.model, "messages": [{"role": "user", "content": "Hello!"}]}
    await _ask(session, "POST", CHAT, hello, nonce)
    return nonce


async def _an_engine(session: Session) -> str | None:
    listed = await _ask(session, "GET", BACKENDS)
    try:
        return str(listed["data"][0]["name"])
    except (KeyError, IndexError, TypeError):
        return None


async def _a_key(session: Session, nonce: str) -> str:
    """The id of a key that nobody uses."""
    made = await _ask(session, "POST", KEYS, {"org": nonce})
    return str(made.get("id")) if isinstance(made, dict) else nonce


async def ended(session: Session, n: int, request: Request, response: Response, start: bool) -> None:
    """Note the answer, and put back the engine that was taken out."""
    session.trace.exchanges[n] = replace(session.trace.exchanges[n], request=request)
    session.trace.close(n, response)
    body = parse(request.body) if request.path.partition("?")[0] in (CHAT, TEXT) else None
    session.state["responses"] = Responses.of([read(n, body if isinstance(body, dict) else {}, response)])
    if session.state.get("degraded"):
        await _ask(session, "POST", HEAL.format(name=session.state["degraded"]))
