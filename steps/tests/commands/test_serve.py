"""`serve`: the options and variables of each reference server reach it. A program is started by name in place of this process."""

import importlib.util
import os
import socket

import pytest
from click.testing import CliRunner

from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.serving import SERVER

HOST = "127.0.0.1"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """The programs that were started: the arguments of Python, and the environment."""
    calls: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execv", lambda program, words: calls.append((words[1:], dict(os.environ))))
    for name in ("ROLLOUT_SERVER_HOST", "ROLLOUT_SERVER_PORT", "ROLLOUT_DEMO", "TRAINER_MODEL"):
        monkeypatch.setenv(name, "")  # restored afterwards, whatever the command sets
        monkeypatch.delenv(name)
    return calls


@pytest.mark.parametrize(
    ("words", "program", "environment"),
    [
        (["rollout"], ["-m", SERVER], {"ROLLOUT_SERVER_HOST": HOST, "ROLLOUT_SERVER_PORT": "0"}),
        (["rollout", "--demo"], ["-m", SERVER], {"ROLLOUT_DEMO": "true"}),
        (["router"], ["-m", f"{SERVER}.router", "--host", HOST, "--port", "0"], {}),
        (
            ["trainer", "--backend-url", "http://x", "--model", "m"],
            ["-m", f"{SERVER}.trainer"],
            {"TRAINER_HOST": HOST, "TRAINER_PORT": "0", "TRAINER_BACKEND_URL": "http://x", "TRAINER_MODEL": "m"},
        ),
    ],
)
def test_a_reference_server_is_started_with_its_options(
    words: list[str],
    program: list[str],
    environment: dict[str, str],
    started: list[tuple[list[str], dict[str, str]]],
) -> None:
    ports = dict.fromkeys(("ROLLOUT_SERVER_PORT", "MOCK_TRAINER_PORT", "ROUTER_PORT"), "0")
    result = CliRunner().invoke(cli, ["serve", *words], env=ports)
    assert result.exit_code == 0, result.output
    ((ran, given),) = started
    assert ran == program
    assert environment.items() <= given.items()


def test_a_port_that_is_taken_is_refused_with_what_to_write(started: list[tuple[list[str], dict[str, str]]]) -> None:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]
        result = CliRunner().invoke(cli, ["serve", "router", "--port", str(port)])
    assert isinstance(result.exception, SuiteError)
    assert f"cannot listen on {HOST}:{port}: " in str(result.exception)
    assert "--port N or ROUTER_PORT=N" in str(result.exception)
    assert started == []


def test_a_server_that_does_not_exist_is_refused() -> None:
    result = CliRunner().invoke(cli, ["serve", "soap"])
    assert result.exit_code == 2
    assert "No such command 'soap'" in result.output


def test_every_profile_with_a_server_is_listed_and_vllm() -> None:
    shown = CliRunner().invoke(cli, ["serve", "--help"]).output
    listed = [line.split()[0] for line in shown.partition("Commands:")[2].splitlines() if line.strip()]
    assert listed == [*(name for name, profile in PROFILES.items() if profile.reference.served_by), "vllm"]


@pytest.mark.parametrize("module", ["", ".router", ".trainer"])
def test_what_is_started_by_name_exists(module: str) -> None:
    assert importlib.util.find_spec(f"{SERVER}{module}") is not None
