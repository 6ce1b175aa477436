"""The command line: which commands there are, what is imported for each, and what help costs."""

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
from click.testing import CliRunner

from rollout_conformance.steps.cli import COMMANDS, cli

HEAVY = ("pytest", "httpx", "aiohttp", "hypothesis", "schemathesis", "starlette", "tokenizers")
PROFILE = "rollout_conformance.steps.profiles.rollout"
PROGRAM = """
import json, resource, sys
sys.argv = ["rollout-conformance", *{words!r}]
from rollout_conformance.steps.entry import main
try:
    main()
except SystemExit as end:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([end.code, used.ru_utime, sorted(sys.modules)]), file=sys.stderr)
"""


def imported_by(words: Sequence[str]) -> tuple[int, float, set[str]]:
    """The exit code of a command, the CPU seconds that it took, and the modules that were imported for it."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PROGRAM.format(words=list(words))],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    code, seconds, modules = json.loads(done.stderr.splitlines()[-1])
    return code, seconds, set(modules)


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("explain", "ROLLOUT-112"), ("requirements",), ("report", "--help")]
)
def test_a_small_command_imports_no_profile_and_no_large_library(words: Sequence[str]) -> None:
    code, seconds, modules = imported_by(words)
    assert code == 0
    assert {name for name in HEAVY if name in modules} == set()
    assert PROFILE not in modules
    assert seconds < 1.0  # a tenth of a second to a quarter; twice to four times that while other programs run


def test_help_shows_every_command_with_the_first_sentence_of_its_own_help() -> None:
    shown = CliRunner().invoke(cli, ["--help"], terminal_width=200)
    context = cli.make_context("rollout-conformance", [], resilient_parsing=True)
    for name, text in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert (command.help or "").partition("\n\n")[0].replace("\n", " ") == text
        assert text in " ".join(shown.output.split())


def test_a_command_that_does_not_exist_is_refused_with_what_is_near() -> None:
    result = CliRunner().invoke(cli, ["lnt"])
    assert result.exit_code == 2
    assert "No such command 'lnt'" in result.output


@pytest.mark.parametrize("listen", ["9000", "localhost:", ":9000", "localhost:66000"])
def test_an_address_is_a_host_and_a_port(listen: str) -> None:
    result = CliRunner().invoke(cli, ["smoke", "--listen", listen])
    assert result.exit_code == 2
    assert f"'{listen}' is not HOST:PORT; write 127.0.0.1:0 for any free port" in result.output
