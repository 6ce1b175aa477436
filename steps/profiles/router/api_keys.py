"""API keys that are created and revoked, and requests that are signed. These steps drive; none of them judges."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.requests import NamedRequest, Send
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.profiles.chat.requests import CHAT, ChatRequest
from rollout_conformance.steps.profiles.router.context import RouterSession

KEYS = "/v1/admin/keys"


def created_key(session: RouterSession, name: str) -> str:
    """Long enough for every router, and recognisable wherever it appears."""
    return f"tk-{session.state['session_name']}-{name}"


@verb("create_key", short="name", example=("{scopes: [admin]}", "{expires_at: 1000000000}"))
@phrase("an API key with the scope(s) {scopes:names} is created", name="created")
@dataclass(frozen=True, slots=True)
class CreateKey(NamedRequest):
    """Create an API key with `POST /v1/admin/keys`."""

    name: str = field(default="created", kw_only=True)
    "The name of the key in this case, and of the response."
    scopes: tuple[str, ...] = ("inference",)
    "What the key permits: `inference`, `admin`."
    expires_at: float | None = None
    "When it expires, in seconds since 1970."

    async def perform(self, session: RouterSession) -> None:
        body: dict[str, object] = {"org": "suite", "scopes": list(self.scopes), "key": created_key(session, self.name)}
        body |= {"expires_at": self.expires_at} if self.expires_at is not None else {}
        await Send(KEYS, "POST", json.dumps(body), name=self.name).perform(session)


@verb("revoke_key", short="key", example="created")
@phrase("the key is revoked")
@dataclass(frozen=True, slots=True)
class RevokeKey(NamedRequest):
    """Revoke an API key that the case has created."""

    key: str = "created"
    "The name of the key."
    name: str = field(default="revoked", kw_only=True)
    "A name for the response."

    async def perform(self, session: RouterSession) -> None:
        created = responses_of(session).by_name.get(self.key)
        number = created.fields.get("id") if created else None
        await Send(f"{KEYS}/{number}", "DELETE", name=self.name).perform(session)


@verb("chat_with_key", short="key", example="{name: after}")
@phrase("the client sends a chat request with the key")
@dataclass(frozen=True, slots=True)
class ChatWithKey(NamedRequest):
    """Send a chat completion request with an API key that the case has created."""

    key: str = "created"
    "The name of the key."

    async def perform(self, session: RouterSession) -> None:
        bearer = f"Bearer {created_key(session, self.key)}"
        await ChatRequest(name=self.name, user="Hello!", key="none", headers={"authorization": bearer}).perform(session)


@verb("signed_chat", short="name", example="{valid: false}")
@phrase("the client sends a chat request with a valid signature")
@phrase("the client sends a chat request with an invalid signature", valid=False)
@dataclass(frozen=True, slots=True)
class SignedChat(NamedRequest):
    """Send a chat completion request with an HMAC of its body in `X-HMAC-Signature`, beside the API key."""

    valid: bool = True
    "Whether the signature is that of the body; if not, it is that of a body that differs in one letter."

    async def perform(self, session: RouterSession) -> None:
        question = {"role": "user", "content": f"Hello, {session.state['session_name']}!"}
        body = json.dumps({"model": session.context.model, "messages": [question]})
        secret = session.context.card.keys.get("hmac", "").encode()
        signed = body if self.valid else body.replace("Hello", "hello")
        signature = hmac.new(secret, signed.encode(), hashlib.sha256).hexdigest()
        await Send(CHAT, "POST", body, name=self.name, headers={"x-hmac-signature": signature}).perform(session)
