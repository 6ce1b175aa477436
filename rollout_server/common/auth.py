"""API keys in `Authorization: Bearer` (RFC 6750, 2.1)."""

import hmac

from starlette.requests import Request

SCHEME = b"bearer"


def is_allowed(request: Request, server_key: str | None) -> bool:
    """Whether the request carries the key; every request does where none is configured."""
    return server_key is None or has_key(request, server_key)


def has_key(request: Request, server_key: str) -> bool:
    """A repeated header is not accepted: two parties could read different ones of them."""
    values = header_values(request, b"authorization")
    return len(values) == 1 and matches(values[0], server_key.encode())


def matches(value: bytes, key: bytes) -> bool:
    """Compares bytes: a header may hold any, and `compare_digest` takes no text outside ASCII."""
    token = bearer_token(value)
    return token is not None and hmac.compare_digest(token, key)


def bearer_token(value: bytes) -> bytes | None:
    """The scheme is case-insensitive (RFC 9110, 11.1)."""
    scheme, _, token = value.partition(b" ")
    return token.strip() or None if scheme.lower() == SCHEME else None


def header_values(request: Request, name: bytes) -> list[bytes]:
    return [value.strip() for header, value in request.scope["headers"] if header == name]
