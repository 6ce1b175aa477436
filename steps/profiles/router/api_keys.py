"""What an operator does with keys, and a client that signs. They drive; none of them judges."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.http.requests import Send
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.profiles.chat.requests import CHAT, ChatRequest
from rollout_conformance.steps.profiles.chat.responses import ChatResponse

KEYS = "/v1/admin/keys"


def made_key(session: Session, name: str) -> str:
    """Long enough for every router, and known to be ours wherever it turns up."""
    return f"tk-{session.state['session_name']}-{name}"


@dataclass(frozen=True, slots=True)
class MakeKey:
    """Create a key with these scopes, which ends at `expires_at` (seconds since 1970) where that is given."""

    name: str = "made"
    scopes: tuple[str, ...] = ("inference",)
    expires_at: float | None = None

    async def perform(self, session: Session) -> None:
        wanted: dict[str, Any] = {"org": "suite", "scopes": list(self.scopes), "key": made_key(session, self.name)}
        wanted |= {"expires_at": self.expires_at} if self.expires_at is not None else {}
        await Send(KEYS, "POST", json.dumps(wanted), name=self.name).perform(session)


@dataclass(frozen=True, slots=True)
class Revoke:
    """Take back the key that was made under this name."""

    of: str = "made"
    name: str = "revoked"

    async def perform(self, session: Session) -> None:
        made: ChatResponse | None = responses_of(session).by_name.get(self.of)
        number = made.fields.get("id") if made else None
        await Send(f"{KEYS}/{number}", "DELETE", name=self.name).perform(session)


@dataclass(frozen=True, slots=True)
class AskWith:
    """Ask with the key that was made under this name."""

    of: str = "made"
    name: str = ""

    async def perform(self, session: Session) -> None:
        bearer = f"Bearer {made_key(session, self.of)}"
        await ChatRequest(name=self.name, user="Hello!", key="none", headers={"authorization": bearer}).perform(session)


@dataclass(frozen=True, slots=True)
class Signed:
    """Ask with a signature of the body in `X-HMAC-Signature`; with a wrong one, of a body that differs by one letter."""

    name: str = ""
    wrong: bool = False

    async def perform(self, session: Session) -> None:
        question = {"role": "user", "content": f"Hello, {session.state['session_name']}!"}
        body = json.dumps({"model": session.context.model, "messages": [question]})
        secret = session.context.card.keys.get("hmac", "").encode()
        signed = body.replace("Hello", "hello") if self.wrong else body
        signature = hmac.new(secret, signed.encode(), hashlib.sha256).hexdigest()
        await Send(CHAT, "POST", body, name=self.name, headers={"x-hmac-signature": signature}).perform(session)
