"""The HTTP client that the suite speaks with: httpx on top, aiohttp underneath.

httpx's own pool assigns connections in time that grows with the square of the requests in flight; aiohttp's does not, and the
API stays the one that everybody knows. Idle connections are dropped after a second, well before common servers drop theirs,
because a request that meets a closing connection would look like a fault of the target.
"""

import ssl
from functools import lru_cache

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

IDLE_S = 1.0


def client(*, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client without a time limit of its own (every caller sets a deadline) that follows no redirect."""
    return httpx.AsyncClient(transport=transport or _aiohttp(), timeout=None, follow_redirects=False, trust_env=False)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Loading the certificates of the system takes longer than a whole case.
    return httpx.create_ssl_context(trust_env=False)


def _aiohttp() -> AiohttpTransport:
    return AiohttpTransport(
        verify=_tls(),
        client=lambda: aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent",),
        ),
    )
