"""`python -m rollout_conformance.rollout_server.NAME [--host HOST] [--port PORT]`: serve until stopped.

Everything else is configured by environment variables.
"""

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette

from rollout_conformance.rollout_server.common.garbage_collection import collect_rarely
from rollout_conformance.rollout_server.common.settings import SettingsError

# Clients keep connections between two requests for longer than uvicorn's default of five seconds.
KEEP_ALIVE_S = 30


@dataclass(frozen=True, slots=True)
class Server:
    """`host` and `port` are the names of the settings; `shutdown_s` is how long open requests may take at the end."""

    title: str
    load: Callable[..., Any]
    create_app: Callable[..., Starlette]
    host: str = "host"
    port: str = "port"
    shutdown_s: Callable[[Any], float | None] = lambda settings: 5


def run(server: Server) -> int:
    """The exit code: 2 for settings that cannot be used."""
    try:
        settings = server.load(**_given(server))
        app = server.create_app(settings=settings)
    except SettingsError as error:
        sys.stderr.write(f"{server.title}: {error}\n")
        return 2
    collect_rarely()
    shutdown_s = server.shutdown_s(settings)
    uvicorn.run(
        app,
        host=getattr(settings, server.host),
        port=getattr(settings, server.port),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=None if shutdown_s is None else math.ceil(shutdown_s),
    )
    return 0


def _given(server: Server) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=f"The reference {server.title}.")
    parser.add_argument("--host", dest=server.host, default=argparse.SUPPRESS)
    parser.add_argument("--port", dest=server.port, type=int, default=argparse.SUPPRESS, help="0 for any free port")
    return vars(parser.parse_args())
