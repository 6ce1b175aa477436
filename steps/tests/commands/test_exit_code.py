"""Every error of a command becomes one message and an exit code."""

import asyncio
from collections.abc import Callable
from typing import Any

import click
import pytest

from rollout_conformance.steps.commands.exit_code import INTERRUPTED, NO_JUDGEMENT, exit_code_of
from rollout_conformance.steps.engine.findings import SuiteError


def command(work: Callable[[], Any]) -> click.Command:
    return click.Command("x", callback=work)


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.fixture(autouse=True)
def _no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["rollout-conformance"])
    monkeypatch.setenv("ROLLOUT_CONFORMANCE_DEBUG", "")


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_command_that_ends_by_itself_says_its_exit_code(code: int) -> None:
    assert exit_code_of(command(raising(SystemExit(code)))) == code


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (SuiteError("--profile soap: no such profile"), "rollout-conformance: --profile soap: no such profile"),
        (FileNotFoundError(2, "No such file or directory", "card.yaml"), "card.yaml: No such file or directory"),
        (click.UsageError("No such option: --targt"), "No such option: --targt"),
        (RuntimeError("oops"), "this is a fault of the suite, please report it: RuntimeError: oops"),
        (asyncio.CancelledError("oops"), "this is a fault of the suite, please report it: CancelledError: oops"),
    ],
)
def test_an_error_is_one_message_and_no_judgement(
    error: BaseException, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(command(raising(error))) == NO_JUDGEMENT
    printed = capsys.readouterr()
    assert shown in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_ctrl_c_is_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(command(raising(KeyboardInterrupt()))) == INTERRUPTED
    assert "Ended early by SIGINT." in capsys.readouterr().err
