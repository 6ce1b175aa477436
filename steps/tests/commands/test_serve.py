"""`serve`: the options and variables of each reference server reach it."""

import importlib.util
import os
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.serving import SERVER
from rollout_conformance.steps.profiles.serving import free_port as claimed
from rollout_conformance.steps.profiles.trainer import serve as trainer

SET = (
    "ROLLOUT_SERVER_HOST",
    "ROLLOUT_SERVER_PORT",
    "ROLLOUT_DEMO",
    "ROLLOUT_WORKERS",
    "TRAINER_PORT",
    "TRAINER_BACKEND_URL",
    "TRAINER_MODEL",
)


@pytest.fixture(autouse=True)
def _environment_stays() -> Iterator[None]:
    """`serve` sets variables for the process that it becomes; here, that is the process of the tests."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """The modules that this process became, with the variables that were set for them."""
    calls: list[tuple[list[str], dict[str, str]]] = []

    def execv(program: str, words: list[str]) -> None:
        calls.append((words[2:], {name: os.environ[name] for name in SET if name in os.environ}))

    for name in SET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.execv", execv)
    return calls


def served(*words: str, **env: str) -> int:
    return CliRunner().invoke(cli, ["serve", *words], env=env).exit_code


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_the_rollout_server_is_given_its_options(ran: list[Any]) -> None:
    port = free_port()
    assert served("rollout", "--demo", "--port", port, ROLLOUT_SERVER_PORT="99") == 0
    address = {"ROLLOUT_SERVER_HOST": "127.0.0.1", "ROLLOUT_SERVER_PORT": port}
    variables = {**address, "ROLLOUT_DEMO": "true", "ROLLOUT_WORKERS": "1"}
    assert ran == [([SERVER], variables)]


@pytest.mark.parametrize(("name", "module"), [("router", "router"), ("chat", "inference")])
def test_a_server_without_options_is_given_its_address(name: str, module: str, ran: list[Any]) -> None:
    port = free_port()
    assert served(name, "--port", port) == 0
    workers = ["--workers", "1"] if name == "router" else []
    assert ran == [([f"{SERVER}.{module}", "--host", "127.0.0.1", "--port", port, *workers], {})]


@pytest.mark.parametrize("words", [("--workers", "4"), ()])
def test_several_workers_are_served_where_that_is_asked(words: tuple[str, ...], ran: list[Any]) -> None:
    variable = {} if words else {"ROLLOUT_WORKERS": "4", "ROUTER_WORKERS": "4"}
    assert served("rollout", "--port", "0", *words, **variable) == 0
    assert served("router", "--port", "0", *words, **variable) == 0
    assert ran[0][1]["ROLLOUT_WORKERS"] == "4"
    assert ran[1][0][-2:] == ["--workers", "4"]


def test_a_server_that_is_one_process_has_no_workers(ran: list[Any]) -> None:
    assert served("chat", "--port", "0", "--workers", "4") == 2
    assert ran == []


def test_a_mutant_in_the_environment_is_told_to_be_ignored(ran: list[Any]) -> None:
    told = CliRunner().invoke(cli, ["serve", "router", "--port", "0"], env={"ROUTER_MUTANT": "any"}).stderr
    assert "ROUTER_MUTANT is set, and is ignored" in told


def test_a_trainer_in_front_of_an_engine_is_given_its_options(ran: list[Any]) -> None:
    port = free_port()
    assert served("trainer", "--backend-url", "http://x", "--model", "m", "--port", port) == 0
    variables = {"TRAINER_PORT": port, "TRAINER_BACKEND_URL": "http://x", "TRAINER_MODEL": "m"}
    assert ran == [([f"{SERVER}.trainer"], variables)]


def test_the_mock_trainer_is_served_here(ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []

    async def mock(host: str, port: int, tokens: Tokens) -> None:
        seen.append((host, port))

    monkeypatch.setattr(trainer, "_mock", mock)
    port = free_port()
    assert served("trainer", MOCK_TRAINER_PORT=port) == 0
    assert (seen, ran) == ([("127.0.0.1", int(port))], [])


def test_a_port_that_is_taken_is_refused_with_what_to_write() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(SuiteError, match=rf"cannot listen on 127.0.0.1:{port}: .* --port N or ROUTER_PORT=N"):
            claimed("127.0.0.1", port, "ROUTER_PORT")


def test_a_name_that_nothing_is_served_by_is_refused() -> None:
    assert served("nothing") == 2


def test_help_lists_every_profile_with_a_reference_to_serve() -> None:
    shown = CliRunner().invoke(cli, ["serve", "--help"]).output
    assert [name for name, one in PROFILES.items() if one.reference.served_by and f"  {name} " not in shown] == []
    assert "  vllm " in shown


@pytest.mark.parametrize("module", ["", ".router", ".trainer"])
def test_what_is_run_by_name_exists(module: str) -> None:
    assert importlib.util.find_spec(f"{SERVER}{module}") is not None


@pytest.mark.parametrize("name", ["rollout", "trainer", "router", "training", "worker"])
def test_a_server_at_any_port_says_which(name: str, ran: list[Any]) -> None:
    """Who asks for port 0 learns where the server is."""
    words = ["--rollouts", "control"] if name == "trainer" else []
    told = CliRunner().invoke(cli, ["serve", name, "--port", "0", *words])
    assert told.exit_code == 0, told.output
    port = re.search(r" on http://127\.0\.0\.1:([1-9]\d*)", told.output)
    assert port is not None
    ((served_by, variables),) = ran
    assert port[1] in (*served_by, *variables.values())


def test_a_mutant_is_served_by_its_name(ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[str | None] = []

    def execv(_: str, words: list[str]) -> None:
        ran.append(words[2:])
        chosen.append(os.environ.get("WORKER_MUTANT"))

    monkeypatch.setattr("os.execv", execv)
    port = free_port()
    result = CliRunner().invoke(cli, ["serve", "mutant", "slot_leaks", "--profile", "worker", "--port", port])
    assert result.exit_code == 0
    assert f"worker server on http://127.0.0.1:{port}, in which the slot of a job" in result.output
    assert chosen == ["slot_leaks"]
    module = "rollout_conformance.rollout_server.mutants.worker"
    assert ran[0][:6] == ["uvicorn", "--factory", f"{module}:create_app", "--host", "127.0.0.1", "--port"]
    assert importlib.util.find_spec(module) is not None


@pytest.mark.parametrize(
    ("name", "told"),
    [("slot_leak", "Did you mean slot_leaks"), ("quux", "`mutants --profile worker --list` shows them")],
)
def test_a_mutant_that_there_is_not_is_refused(name: str, told: str) -> None:
    error = CliRunner().invoke(cli, ["serve", "mutant", name, "--profile", "worker"]).exception
    assert isinstance(error, SuiteError)
    assert told in str(error)
