"""`run --backend both`: what it writes beside the comparison, and what is about one run only."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.commands.comparison import report_of


def test_a_report_of_each_run_stands_beside_the_comparison() -> None:
    assert report_of(Path("out/both.ndjson"), "chat", "live") == Path("out/both.chat.live.ndjson")


@pytest.mark.parametrize("command", ["report", "statement"])
def test_a_comparison_is_no_report_and_says_what_is(tmp_path: Path, command: str) -> None:
    file = tmp_path / "both.ndjson"
    file.write_text(json.dumps({"type": "header", "report": "divergence", "model": "m", "drifts": 0}) + "\n")
    told = str(CliRunner().invoke(cli, [command, str(file)]).exception)
    assert "is the comparison that `run --backend both` writes" in told
    assert "both.PROFILE.live.ndjson" in told


@pytest.mark.parametrize(
    "words",
    [("--junit", "x.xml"), ("--har", "x.har"), ("--write-baseline", "x.yaml"), ("--repeat", "2"), ("--fail-fast",)],
    ids=lambda words: words[0],
)
def test_an_option_about_one_run_is_rejected(words: tuple[str, ...]) -> None:
    told = str(CliRunner().invoke(cli, ["run", "--backend", "both", "--case", "five plus three", *words]).exception)
    assert f"{words[0]} is about one run, and --backend both compares two" in told
