"""What serves a reference implementation: it is started as a process of its own, and never imported by the suite."""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from rollout_conformance.steps.engine.findings import SuiteError

F = TypeVar("F", bound=Callable[..., Any])
SERVER = "rollout_conformance.rollout_server"


def become(*words: str) -> None:
    """Run `python -m WORDS` in place of this process."""
    os.execv(sys.executable, [sys.executable, "-m", *words])  # noqa: S606 - our own module, in this very process


def server_command(
    name: str, module: str, about: str, *, port: int, variable: str, shown: str, more: str = "", workers: bool = False
) -> click.Command:
    """The command that serves a reference implementation, whose `module` needs no more than an address. `about` is its help; the line
    that says where it serves begins with `shown` and says `more`; `workers`: it can be several processes."""

    @click.command(name, help=about)
    @click.option("--host", default="127.0.0.1", show_default=True)
    @click.option("--port", envvar=variable, type=click.IntRange(0, 65535), default=port, show_default=True)
    def command(host: str, port: int, **given: int) -> None:
        port = free_port(host, port, variable)
        click.echo(f"{shown} on http://{host}:{port}{more}  stop: Ctrl-C", err=True)
        become(f"{SERVER}.{module}", "--host", host, "--port", str(port), *options(given))

    return workers_option(f"{name.upper()}_WORKERS")(command) if workers else command


def options(given: Mapping[str, int]) -> list[str]:
    return [word for name, value in given.items() for word in (f"--{name}", str(value))]


def workers_option(variable: str) -> Callable[[F], F]:
    return click.option(
        "--workers",
        envvar=variable,
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="Processes that serve the port together.",
    )


def free_port(host: str, port: int, variable: str) -> int:
    """The port, or for 0 one that is free now: whoever started the server has to know it. Raises `SuiteError` when a port is taken. The
    program that holds it is left alone."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SuiteError(
                f"cannot listen on {host}:{port}: {error.strerror}. Another program holds it, and is left alone. "
                f"Choose another port with --port N or {variable}=N."
            ) from error
        return int(probe.getsockname()[1])
