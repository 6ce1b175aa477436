"""The credentials of a request: an API key, and optionally an HMAC signature of the body."""

import hashlib
import hmac

from starlette.requests import Request

from rollout_conformance.rollout_server.common.auth import bearer_token, header_values


def presented_key(request: Request) -> bytes | None:
    """The key as bytes. `X-API-Key` takes precedence over `Authorization`; a repeated header is not accepted."""
    if own := [value for value in header_values(request, b"x-api-key") if value]:
        return own[0] if len(own) == 1 else None
    bearer = header_values(request, b"authorization")
    return bearer_token(bearer[0]) if len(bearer) == 1 else None


def signature(request: Request) -> bytes | None:
    found = header_values(request, b"x-hmac-signature")
    return found[0] if found else None


def is_signature(signature: bytes, secret: bytes, body: bytes) -> bool:
    """Whether it is the HMAC-SHA256 (RFC 2104) of these bytes."""
    expected = hmac.new(secret, body, hashlib.sha256).hexdigest().encode()
    return hmac.compare_digest(signature.lower(), expected)
