"""`run --dry-run`: what would be played, and that nobody is asked."""

import socket

import pytest
from click.testing import CliRunner, Result

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.profiles import PROFILES


def dry(*words: str) -> Result:
    return CliRunner().invoke(cli, ["run", "--dry-run", *words])


@pytest.mark.parametrize("profile", PROFILES)
def test_every_case_is_played_or_has_a_reason(profile: str) -> None:
    lines = dry("--profile", profile, "-v").output.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith(("play  ", "may   ", "skip  "))]
    assert len(listed) == len(case_catalog.every(profile))
    assert f"{listed.count('play')} of {len(listed)} cases would be played." in lines
    skipped = sum(int(line.split()[0]) for line in lines if line.startswith("   "))
    assert skipped == len(listed) - listed.count("play")


def test_the_target_is_not_asked() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.2)
        result = dry("--target", f"http://127.0.0.1:{listener.getsockname()[1]}", "--case", "a start request without")
        with pytest.raises(TimeoutError):
            listener.accept()
    assert (result.exit_code, "nothing was asked of http://127.0.0.1:" in result.output) == (0, True)


def test_what_a_case_needs_is_the_reason() -> None:
    result = dry("--target", "http://127.0.0.1:1", "--dialect", "callback", "--case", "ROLLOUT-169")
    assert result.exit_code == 0
    assert "requires `server_key`: " in result.output
    assert "where the target shows, or its card declares, what they need:" in result.output


def test_where_everything_would_be_skipped_the_exit_code_is_2() -> None:
    words = ("--target", "http://127.0.0.1:1", "--dialect", "callback", "--case", "rollouts in progress are reported")
    result = dry(*words)
    assert (result.exit_code, "the suite has to start and stop this target" in result.output) == (2, True)


def test_cases_of_other_dialects_are_counted() -> None:
    assert "are of other dialects." in dry("--dialect", "leased", "--case", "five plus three").output


def test_a_dialect_that_does_not_exist_is_refused() -> None:
    assert "has the dialects sync" in str(dry("--dialect", "rooted").exception)
