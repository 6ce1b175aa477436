"""The connections of a served peer: which transport a request came over, and a request that offers another protocol.

A client may offer an upgrade with any request, and a server may ignore the offer (RFC 9110, 7.8). The client of the JDK offers h2c with every
request to a plain http URL. The parser `httptools` discards the body of such a request, so that a right target would look like one that sends no
body: its connection continues on h11, which reads the body.
"""

import asyncio
import sys

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Ends = tuple[tuple[str, int | None], tuple[str, int]]

# By both ends: several peers listen in one process, and a client may use one port of its own towards two of them.
_transports: dict[Ends, asyncio.Transport] = {}


def transport(scope: Scope) -> asyncio.Transport | None:
    """The connection that a request came over, while there is one."""
    server, client = scope["server"], scope["client"]
    return _transports.get(((server[0], server[1]), (client[0], client[1])))


class _OfferingConnection(H11Protocol):
    """A connection whose client has offered another protocol. The offer is ignored."""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        _forget(self.server, self.client)


class Connection(HttpToolsProtocol):
    """An HTTP connection that the application can cut. It serves no WebSockets: `ws` of its configuration is `none`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is not None and self.server is not None:
            _transports[self.server, self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        _forget(self.server, self.client)

    def data_received(self, data: bytes) -> None:
        self._latest = data
        super().data_received(data)

    def _should_upgrade(self) -> bool:
        return True

    def handle_websocket_upgrade(self) -> None:
        """Called for every offer, while the exception is handled that has the end of the headers in the latest data."""
        stop = sys.exception()
        assert isinstance(stop, httptools.HttpParserUpgrade)
        self.connections.discard(self)
        successor = _OfferingConnection(self.config, self.server_state, self.app_state)
        successor.connection_made(self.transport)
        self.transport.set_protocol(successor)
        successor.data_received(self._head() + self._latest[stop.args[0] :])

    def _head(self) -> bytes:
        start = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        return start + b"".join(b"%s: %s\r\n" % header for header in self.scope["headers"]) + b"\r\n"


def _forget(server: tuple[str, int | None] | None, client: tuple[str, int] | None) -> None:
    if client is not None and server is not None:
        _transports.pop((server, client), None)
