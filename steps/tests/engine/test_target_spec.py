"""What a user may write for `--target`, and what is said about a command that became no target."""

import asyncio
import sys
from pathlib import Path

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.dry_run import dry_run
from rollout_conformance.steps.engine import targets
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.target_spec import command
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.run_setup import RunOptions, card_of, patient

ELSEWHERE = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"python" server.py --port {port}', ["python", "server.py", "--port", "1"]),
        ("'my server' {port}", ["my server", "1"]),
        ('"python server.py --port {port}"', ["python", "server.py", "--port", "1"]),
        ("'sh -c \"serve {port}\"'", ["sh", "-c", "serve 1"]),
        ("./serve-{port}", ["./serve-1"]),
    ],
)
def test_quotes_within_a_command_part_words_and_those_around_it_do_not(line: str, words: list[str]) -> None:
    assert command(f"cmd:{line}", 1) == words


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ('cmd:"python {port}', "no closing quotation"),
        ("cmd:python server.py", "needs {port}"),
        ("http://", "names no host"),
        ("http:/localhost:9000", "names no host"),
        ("http://localhost:99999", "there is no port 99999"),
        ("http://localhost:0", "there is no port 0"),
        ("http://localhost:x", "Invalid port"),
        ("localhost:9000", "Write http://host:port"),
    ],
)
def test_what_is_no_target_is_explained(spec: str, told: str) -> None:
    with pytest.raises(SuiteError, match="--target") as error:
        command(spec, 1)
    assert told in str(error.value)


@pytest.mark.parametrize("url", ["http://localhost:9000", "https://host", "http://[::1]:80/v1", "http://10.0.0.1/a/"])
def test_a_url_is_no_command(url: str) -> None:
    assert command(url, 1) is None


@pytest.mark.parametrize("target", ["", "  "])
def test_an_empty_target_is_not_the_reference(target: str) -> None:
    with pytest.raises(SuiteError, match="--target is empty"):
        RunOptions(target=target)


def test_a_target_that_the_suite_starts_has_the_time_of_wait() -> None:
    options = RunOptions(wait=120, patience=3)
    card = patient(card_of(options, profile_of("rollout")), options)
    assert (card.start_s, card.patience_s) == (120, 3)
    assert patient(card, RunOptions(wait=5)).start_s == 120


def failure(spec: str, ready_s: float) -> str:
    async def started() -> None:
        async with targets.running(spec, ready_s=ready_s):
            raise AssertionError("it is no target")

    with pytest.raises(targets.StartError) as error:
        asyncio.run(started())
    return str(error.value)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("cmd:no-such-program {port}", "cannot start 'no-such-program': No such file or directory."),
        ("cmd:PORT={port} serve", "write `env PORT="),
        ("cmd:cd here && serve {port}", "write `sh -c '...'`"),
        ("cmd:true {port}", "ended with code 0 before it answered. A target has to run in the foreground"),
        ("cmd:false {port} && serve", "No shell reads the command"),
        ("cmd:false {port}", "ended with code 1 before it answered. It wrote nothing."),
    ],
)
def test_a_command_that_does_not_start_is_explained(spec: str, told: str) -> None:
    assert told in failure(spec, 30)


def test_a_program_that_listens_on_another_port_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text(ELSEWHERE)
    told = failure(f"cmd:{sys.executable} {tmp_path}/serve.py {{port}}", 5)
    assert "It listens on port " in told
    assert "the value {port}?" in told


def test_a_program_that_listens_nowhere_is_given_longer_by_wait() -> None:
    assert "`--wait SECONDS`, or `start_s:`" in failure("cmd:sleep 60 {port}", 0.3)


@pytest.mark.parametrize("profile", ["rollout", "worker"])
def test_a_dry_run_against_a_target_without_a_card_lists_the_cases_of_variants(profile: str) -> None:
    cases = case_catalog.every(profile)
    assert any(case.variant for case in cases)
    found = asyncio.run(dry_run(RunOptions(profile=profile, target="http://127.0.0.1:1"), cases))
    assert len(found.planned) == len(cases)
