"""`run --soak` against the reference, and against the same one with a defect that a single play rarely shows."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rollout_conformance.steps.engine import report_file
from rollout_conformance.steps.engine.report_file import SoakLine
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.report_page import page

SUITE = "from rollout_conformance.steps.entry import main; main()"
FAULTS = "app:rollout_conformance.rollout_server.tests.rare_faults"
FEW = ("--dialect", "callback", "--case", "*tool*", "-j", "8")


def card(folder: Path, more: str = "") -> list[str]:
    text = (ROOT / "scenarios" / "cards" / "reference.yaml").read_text(encoding="utf-8")
    file = folder / "card.yaml"
    file.write_text(text.replace("patience_s: 5", "patience_s: 2") + more, encoding="utf-8")
    return ["--card", str(file)]


def run(*words: str, every: int = 10_000) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", SUITE, "run", *FEW, *words],
        env={**os.environ, "RARE_FAULT_EVERY": str(every)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_reference_passes_and_what_was_measured_is_shown(tmp_path: Path) -> None:
    report = tmp_path / "soak.ndjson"
    done = run("--soak", "3s", "--report", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Soak of" in done.stdout
    assert "POST /v1/rollout/init" in done.stdout
    read = report_file.read(report)
    (soak,) = [line for line in read.lines() if isinstance(line, SoakLine)]
    assert soak.plays >= soak.cases > 10
    assert soak.failures == 0
    assert soak.turns > 10
    assert read.footer
    assert read.footer.not_run == read.footer.planned - soak.cases
    assert '<polyline points="' in "".join(page.render(read))


def test_what_is_lost_once_in_many_rollouts_is_found(tmp_path: Path) -> None:
    done = run("--soak", "6s", "--level", "should", "--target", f"{FAULTS}:lost", *card(tmp_path), every=8)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ROLLOUT-136" in done.stdout
    assert "--soak 6s --seed 0" in done.stdout


def test_a_turn_that_is_lost_once_in_many_is_found() -> None:
    done = run("--soak", "6s", "--target", f"{FAULTS}:losing_turns", every=50)
    assert done.returncode == 1, done.stdout + done.stderr
    assert (
        "FAIL  ROLLOUT-049 MUST" in done.stdout or "FAIL  ROLLOUT-115 MUST" in done.stdout
    )  # where in the rollout it was
    assert "--soak 6s --seed 0" in done.stdout


def test_growing_memory_is_shown_and_judged_only_by_a_bound(tmp_path: Path) -> None:
    bound = "soak: {memory_growth_mib: 20}\n"
    leaking = ("--soak", "3s", "--target", f"{FAULTS}:leaking")
    free = run(*leaking, *card(tmp_path), every=1)
    assert free.returncode == 0, free.stdout
    assert "MiB of memory" in free.stdout
    bounded = run(*leaking, *card(tmp_path, bound), every=1)
    assert bounded.returncode == 1, bounded.stdout + bounded.stderr
    assert "BOUND  memory: grew by" in bounded.stdout


def test_slow_responses_are_judged_by_a_bound(tmp_path: Path) -> None:
    bound = "soak: {p99_s: 1.5}\n"
    done = run("--soak", "3s", "--target", f"{FAULTS}:slow", *card(tmp_path, bound), every=20)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BOUND  POST /v1/rollout/init: p99 is" in done.stdout


def test_a_rate_begins_so_many_cases_a_second() -> None:
    done = run("--soak", "3s", "--rate", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    plays = int(done.stdout.split("Soak of")[1].split("s: ")[1].split()[0])
    assert plays <= 16


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--rate", "5"), "write --soak TIME as well"),
        (("--soak", "soon"), "90s, 10m or 2h"),
        (("--soak", "3s", "--backend", "both"), "compares two"),
    ],
)
def test_options_that_do_not_go_together(words: tuple[str, ...], told: str) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_an_interrupted_soak_shows_what_it_found(tmp_path: Path) -> None:
    report = tmp_path / "soak.ndjson"
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", SUITE, "run", *FEW, "--soak", "10m", "--report", str(report)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Playing")
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 130, told
    assert "Soak of" in told
    assert "Ended early by SIGINT" in told
    kinds = [json.loads(line)["type"] for line in report.read_text(encoding="utf-8").splitlines()]
    assert kinds[-1] == "footer"
    assert "soak" in kinds
