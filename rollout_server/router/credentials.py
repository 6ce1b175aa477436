"""What a request shows to say who sent it: an API key, and where one is wanted a signature of the body."""

import hashlib
import hmac

from starlette.requests import Request

SCHEME = b"bearer"


def presented(request: Request) -> bytes | None:
    """The key as bytes, whatever they are. `X-API-Key` wins over `Authorization`; the same header twice is none."""
    if own := [value for value in values(request, b"x-api-key") if value]:
        return own[0] if len(own) == 1 else None
    bearer = values(request, b"authorization")
    return of_bearer(bearer[0]) if len(bearer) == 1 else None


def values(request: Request, header: bytes) -> list[bytes]:
    return [value.strip() for name, value in request.scope["headers"] if name == header]


def of_bearer(value: bytes) -> bytes | None:
    scheme, _, token = value.partition(b" ")
    return token.strip() or None if scheme.lower() == SCHEME else None


def signature(request: Request) -> bytes | None:
    found = values(request, b"x-hmac-signature")
    return found[0] if found else None


def signs(signature: bytes, secret: bytes, body: bytes) -> bool:
    """Whether it is the signature of exactly these bytes."""
    right = hmac.new(secret, body, hashlib.sha256).hexdigest().encode()
    return hmac.compare_digest(signature.lower(), right)
