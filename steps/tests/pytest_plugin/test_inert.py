"""In a project that has no case of the suite the plugin does nothing; beside one, it plays it and leaves the rest alone.

Each session is a process of its own: what is looked at is what such a session imports, registers and handles.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.paths import ROOT

CONFTEST = """
import json, os, signal, sys
from pathlib import Path

def pytest_addoption(parser):
    parser.addoption("--report", default="the project's own")

def pytest_sessionfinish(session):
    names = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    Path("seen.json").write_text(json.dumps({
        "signals": [handler in (signal.SIG_DFL, signal.SIG_IGN) for handler in names],  # ignored: under nohup
        "markers": session.config.getini("markers"),
        "plugins": [name for name, _ in session.config.pluginmanager.list_name_plugin() if "rollout" in name],
        "suite": sorted(name for name in sys.modules if name.startswith("rollout_conformance.")),
        "report": session.config.getoption("--report"),
    }))
"""
# What it takes to tell whose a file is.
IMPORTED = {
    f"rollout_conformance.{name}"
    for name in (
        "steps",
        "steps.case_files",
        "steps.engine",
        "steps.engine.author_code",
        "steps.engine.findings",
        "steps.engine.suggestions",
        "steps.engine.text_file",
        "steps.paths",
        "steps.profiles",
        "steps.pytest_plugin",
        "steps.pytest_plugin.arguments",
        "steps.pytest_plugin.options",
        "steps.pytest_plugin.own_files",
    )
}
LOGIN = "Feature: Login\n\n  Scenario: A user logs in\n    Given a user\n    Then the user is greeted\n"
LOGIN_TEST = """
from pytest_bdd import given, scenarios, then
scenarios("features")

@given("a user", target_fixture="user")
def user():
    return "Ann"

@then("the user is greeted")
def greeted(user):
    assert user == "Ann"
"""


def session(folder: Path, *words: object) -> tuple["subprocess.CompletedProcess[str]", Any]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rA",
        "-p",
        "no:cacheprovider",
        "--strict-markers",
        *map(str, words),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    return done, json.loads((folder / "seen.json").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "features").mkdir()
    (tmp_path / "scenarios").mkdir()
    for name, text in {
        "pytest.ini": "[pytest]\n",
        "conftest.py": CONFTEST,
        "features/login.feature": LOGIN,
        "test_login.py": LOGIN_TEST,
        "scenarios/test_more.py": "def test_more():\n    pass\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_without_a_case_of_the_suite_nothing_is_handled_registered_or_imported(project: Path) -> None:
    done, seen = session(project, "test_login.py", "features")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert seen["signals"] == [True, True]
    assert [line for line in seen["markers"] if "ROLLOUT" in line or "pre_merge" in line] == []
    assert "rollout-conformance" in seen["plugins"]
    assert "rollout-conformance-session" not in seen["plugins"]
    assert set(seen["suite"]) <= IMPORTED
    assert seen["report"] == "the project's own"


def test_beside_a_case_of_the_suite_the_tests_of_the_project_run_as_before(project: Path) -> None:
    own = project / "gate" / "own.feature"
    own.parent.mkdir()
    own.write_text((ROOT / "features" / "rollout" / "first.feature").read_text(encoding="utf-8"), encoding="utf-8")
    done, seen = session(project, "--dialect", "sync")
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert "PASSED gate/own.feature::Five plus three[sync]" in done.stdout
    assert "PASSED test_login.py::test_a_user_logs_in" in done.stdout
    hung_up = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # under nohup it stays ignored
    assert seen["signals"] == [False, hung_up]
    assert any(line.startswith("ROLLOUT-112:") for line in seen["markers"])
    assert not any(line.startswith("CHAT-") for line in seen["markers"])


def test_all_markers_can_be_listed(project: Path) -> None:
    done, _ = session(project, "test_login.py")
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "--markers"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    assert "@pytest.mark.CHAT-050:" in shown
    assert "@pytest.mark.callback: the callback dialect" in shown
    assert done.returncode == 0
