"""What a user writes for `--target`, and what to do about a command that became no target."""

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import psutil

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.paths import ROOT

FORMS = 'Write http://host:port, app:module:factory, or cmd:"command with {port}".'
UVICORN = [sys.executable, "-m", "uvicorn"]
OF_A_SHELL = frozenset({"cd", "source", ".", "export", "exec", "ulimit"})
NO_SHELL = " No shell reads the command: write `sh -c '...'`, or name a script."
BETWEEN_COMMANDS = frozenset({"&&", "||", "|", ";", "&", ">", "<", "2>&1"})


def command(spec: str, port: int) -> list[str] | None:
    """The command that starts a target, None for a URL. Raises `SuiteError` for anything else."""
    kind, _, rest = spec.partition(":")
    if kind in ("http", "https"):
        _check_url(spec)
        return None
    if kind == "app" and rest.count(":") == 1:
        options = ["--factory", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "--no-access-log"]
        return [*UVICORN, _module(rest), *options, "--timeout-graceful-shutdown", "5"]
    if kind == "cmd" and "{port}" in rest:
        return [part.replace("{port}", str(port)) for part in _words(rest)]
    hint = "cmd: needs {port} somewhere in the command" if kind == "cmd" else f"seen: {spec!r}"
    raise SuiteError(f"--target: {hint}. {FORMS}")


def _check_url(spec: str) -> None:
    """Raises `SuiteError` for a URL that names no host, or a port that there is not."""
    try:
        url = httpx.URL(spec)
    except httpx.InvalidURL as wrong:
        raise SuiteError(f"--target {spec}: {wrong}. {FORMS}") from None
    if not url.host:
        raise SuiteError(f"--target {spec}: the URL names no host. {FORMS}")
    if url.port is not None and not 0 < url.port < 65536:
        raise SuiteError(f"--target {spec}: there is no port {url.port}; ports are 1 to 65535.")


def _words(line: str) -> list[str]:
    """The words of a command. Quotes around all of it, as a file keeps them and a shell takes them away, part no words: a program whose name
    has a port and a space is not meant."""
    try:
        words = shlex.split(line)
        return shlex.split(words[0]) if len(words) == 1 and len(words[0].split()) > 1 else words
    except ValueError as wrong:
        raise SuiteError(f"--target: cmd:{line}: {str(wrong).lower()}; close it, or write \\ before it.") from None


def _module(name: str) -> str:
    """`rollout_server.app` is the reference's, as the README writes it, unless the folder one stands in has a package of that name."""
    own = Path.cwd() / "rollout_server"
    if not name.startswith("rollout_server.") or (own.exists() and not own.samefile(ROOT / "rollout_server")):
        return name
    return f"rollout_conformance.{name}"


def about_no_program(words: Sequence[str]) -> str:
    """What to write where the first word is no program: empty unless the command is written for a shell."""
    if "=" in words[0]:
        return f" No shell reads the command: write `env {words[0]} ...`, or `env:` on the target card."
    return NO_SHELL if words[0] in OF_A_SHELL else ""


def about_early_end(words: Sequence[str], code: int | None) -> str:
    """Why a program may have ended before it answered."""
    if BETWEEN_COMMANDS.intersection(words):
        return NO_SHELL
    return " A target has to run in the foreground until it is stopped." if code == 0 else ""


def about_silence(pid: int, port: int) -> str:
    """What to do about a program that does not answer at the port that it was given."""
    others = sorted({*_listening(pid)} - {port})
    if not others:
        return " `--wait SECONDS`, or `start_s:` on the target card, gives it longer."
    ports = ", ".join(map(str, others))
    return f" It listens on port {ports}: has the option or the variable that sets its port the value {{port}}?"


def _listening(pid: int) -> Iterator[int]:
    """The TCP ports on which a process and those that it started listen, as far as they can be seen."""
    with contextlib.suppress(psutil.Error):
        for process in [(leader := psutil.Process(pid)), *leader.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                yield from (
                    one.laddr.port
                    for one in process.net_connections("tcp")
                    if one.status == psutil.CONN_LISTEN and one.laddr
                )
