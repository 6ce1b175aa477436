"""API keys: their limits and whether they are valid. Only the hash of a key is stored."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.router import errors
from rollout_conformance.rollout_server.router.settings import Limits


@dataclass(frozen=True, slots=True)
class Key:
    id: str
    org: str
    scopes: frozenset[str]
    name: str | None = None
    rps: float | None = None
    burst: int | None = None
    budget_tokens: int | None = None
    expires_at: float | None = None
    spent_tokens: int = 0
    revoked: bool = False

    def describe(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "key",
            "org": self.org,
            "name": self.name,
            "scopes": sorted(self.scopes),
            "rps": self.rps,
            "burst": self.burst,
            "budget_tokens": self.budget_tokens,
            "spent_tokens": self.spent_tokens,
            "expires_at": self.expires_at,
            "revoked": self.revoked,
        }


def digest(secret: bytes) -> str:
    """Bytes, as a header may hold any. Keys are long and random, so a fast hash is enough."""
    return hashlib.sha256(secret).hexdigest()


def id_of(hashed: str) -> str:
    """Stable for the same key, and of no help in guessing it."""
    return f"key-{hashlib.sha256(hashed.encode()).hexdigest()[:16]}"


def is_valid(key: Key | None, now: float) -> bool:
    return key is not None and not key.revoked and (key.expires_at is None or now < key.expires_at)


def check_scope(key: Key, scope: str) -> None:
    if scope not in key.scopes:
        raise errors.forbidden(scope)


def check_budget(key: Key) -> None:
    if key.budget_tokens is not None and key.spent_tokens >= key.budget_tokens:
        raise errors.out_of_budget(key.spent_tokens, key.budget_tokens)


def row(limits: Limits, hashed: str) -> dict[str, Any]:
    """The row in the state store."""
    known = limits.model_dump(include=set(Limits.model_fields) - {"scopes"})
    return {"id": id_of(hashed), "hash": hashed, "scopes": " ".join(dict.fromkeys(limits.scopes)), **known}


def from_row(values: Mapping[str, Any]) -> Key:
    members = {name: values[name] for name in Key.__dataclass_fields__ if name != "scopes" and name in values}
    return Key(scopes=frozenset(values["scopes"].split()), **members)
