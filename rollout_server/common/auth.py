"""Who may start rollouts. The server's key has nothing to do with the keys that trainers give for their callbacks."""

import hmac

from starlette.requests import Request

SCHEME = b"bearer"


def is_allowed(request: Request, server_key: str | None) -> bool:
    """Whether the request carries the key, if there is one."""
    return server_key is None or has_key(request, server_key)


def has_key(request: Request, server_key: str) -> bool:
    values = [value for name, value in request.scope["headers"] if name == b"authorization"]
    return len(values) == 1 and matches(values[0], server_key.encode())


def matches(value: bytes, key: bytes) -> bool:
    """Bytes against bytes: a header may hold any, and a comparison of text would stumble over them."""
    scheme, _, token = value.partition(b" ")
    return scheme.lower() == SCHEME and hmac.compare_digest(token.strip(), key)
