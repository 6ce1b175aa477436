"""`serve`: the options and variables of each reference server reach it."""

import socket
from typing import Any

import pytest
from click.testing import CliRunner

from rollout_conformance.steps import serve
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine.findings import SuiteError


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What was asked to be served, in place of serving it."""
    calls: list[tuple[Any, ...]] = []

    def recorder(name: str) -> Any:
        return lambda *arguments: calls.append((name, *arguments))

    for name in ("rollout", "trainer", "live_trainer", "router"):
        monkeypatch.setattr(serve, name, recorder(name))
    return calls


@pytest.mark.parametrize(
    ("words", "env", "call"),
    [
        (["rollout"], {}, ("rollout", "127.0.0.1", 9000, False)),
        (["rollout", "--demo", "--port", "1234"], {"ROLLOUT_SERVER_PORT": "99"}, ("rollout", "127.0.0.1", 1234, True)),
        (["rollout"], {"ROLLOUT_SERVER_PORT": "99"}, ("rollout", "127.0.0.1", 99, False)),
        (["trainer"], {"MOCK_TRAINER_PORT": "99"}, ("trainer", "127.0.0.1", 99, None)),
        (
            ["trainer", "--backend-url", "http://x", "--model", "m"],
            {},
            ("live_trainer", "127.0.0.1", 9001, None, "http://x", "m"),
        ),
        (["chat", "--host", "::1"], {}, ("router", "::1", 9002)),
    ],
)
def test_a_server_is_given_its_options(
    words: list[str], env: dict[str, str], call: tuple[Any, ...], served: list[tuple[Any, ...]]
) -> None:
    result = CliRunner().invoke(cli, ["serve", *words], env=env)
    assert (result.exit_code, served) == (0, [call])


def test_a_port_that_is_taken_is_refused_with_what_to_write() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(SuiteError, match=rf"cannot listen on 127.0.0.1:{port}: .* --port N or ROUTER_PORT=N"):
            serve.router("127.0.0.1", port)


def test_the_reference_is_run_by_name_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda program, words: ran.append(words[1:]))
    environment: dict[str, str] = {}
    monkeypatch.setattr("os.environ", environment)
    serve.rollout("127.0.0.1", 0, demo=True)
    serve.router("127.0.0.1", 0)
    assert ran == [["-m", serve.SERVER], ["-m", f"{serve.SERVER}.chat", "--host", "127.0.0.1", "--port", "0"]]
    assert environment == {
        "ROLLOUT_SERVER_HOST": "127.0.0.1",
        "ROLLOUT_SERVER_PORT": "0",
        "ROLLOUT_DEMO": "true",
    }


@pytest.mark.parametrize("module", ["", ".chat", ".trainer"])
def test_what_is_run_by_name_exists(module: str) -> None:
    import importlib.util

    assert importlib.util.find_spec(f"{serve.SERVER}{module}") is not None
