"""`python -m rollout_conformance.rollout_server.NAME [--host HOST] [--port PORT]`: serve until stopped.

Everything else is configured by environment variables.
"""

import argparse
import math
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from rollout_conformance.rollout_server.common.garbage_collection import collect_rarely
from rollout_conformance.rollout_server.common.settings import SettingsError
from rollout_conformance.rollout_server.common.workers.group import Group

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
    in_group: Callable[[Any, Group], ASGIApp] | None = None  # the application of one of several processes
    check_group: Callable[[Any], None] = lambda settings: (
        None
    )  # raises `SettingsError` for settings that cannot be shared


def run(server: Server) -> int:
    """The exit code: 2 for settings that cannot be used."""
    try:
        settings = server.load(**_given(server))
        app = server.create_app(settings=settings)
        workers = getattr(settings, "workers", 1)
        if workers > 1:
            return _run_group(server, settings, workers)
    except SettingsError as error:
        sys.stderr.write(f"{server.title}: {error}\n")
        return 2
    collect_rarely()
    uvicorn.run(
        app, host=getattr(settings, server.host), port=getattr(settings, server.port), **_options(server, settings)
    )
    return 0


def _options(server: Server, settings: Any) -> dict[str, Any]:
    shutdown_s = server.shutdown_s(settings)
    return {
        "log_level": "warning",
        "access_log": False,
        "timeout_keep_alive": KEEP_ALIVE_S,
        "timeout_graceful_shutdown": None if shutdown_s is None else math.ceil(shutdown_s),
    }


def _run_group(server: Server, settings: Any, workers: int) -> int:
    if not hasattr(os, "fork"):
        raise SettingsError("more than one worker needs processes that fork, which this system does not have")
    from rollout_conformance.rollout_server.common.workers import supervisor

    in_group = server.in_group
    assert in_group is not None
    server.check_group(settings)

    def serve(folder: Path) -> supervisor.Serve:
        collect_rarely()

        def in_process(group: Group, sockets: list[socket.socket]) -> None:
            config = uvicorn.Config(in_group(settings, group), **_options(server, settings))
            uvicorn.Server(config).run(sockets=sockets)

        return in_process

    try:
        return supervisor.run(workers, (getattr(settings, server.host), getattr(settings, server.port)), serve)
    except OSError as error:
        raise SettingsError(f"cannot listen: {error.strerror}") from error


def _given(server: Server) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=f"The reference {server.title}.")
    parser.add_argument("--host", dest=server.host, default=argparse.SUPPRESS)
    parser.add_argument("--port", dest=server.port, type=int, default=argparse.SUPPRESS, help="0 for any free port")
    if server.in_group is not None:
        parser.add_argument(
            "--workers", type=int, default=argparse.SUPPRESS, help="processes that serve the port together"
        )
    return vars(parser.parse_args())
