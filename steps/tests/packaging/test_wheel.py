"""The wheel, installed into a new environment, beside a project that has `steps` and `features` of its own.

The environment shares the dependencies of this one and nothing else: the suite comes from the wheel alone.
"""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from rollout_conformance.steps.paths import ROOT

FOLDERS = ("contracts", "features", "rollout_server", "scenarios", "steps")
BUILD = (*FOLDERS, ".src", "pyproject.toml", "README.md", "LICENSE")
NOT_SHIPPED = ("tests", "__pycache__", ".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache")

STEPS = "def name() -> str:\n    return 'a module of the project'\n"
LOGIN = "Feature: Login\n\n  Scenario: A user logs in\n    Given a user\n    Then the user is greeted\n"
LOGIN_TEST = """
from pytest_bdd import given, scenarios, then
from steps.greeting import name

scenarios("../features")

@given("a user", target_fixture="user")
def user():
    return name()

@then("the user is greeted")
def greeted(user):
    assert user == "a module of the project"
"""
CONFTEST = 'def pytest_addoption(parser):\n    parser.addoption("--target", default="an option of the project")\n'
TARGET_TEST = (
    'def test_target(pytestconfig):\n    assert pytestconfig.getoption("--target") == "an option of the project"\n'
)


def run(*words: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command without what points to this checkout, and without signs of the session that runs this test."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL_ENV"))
    }
    return subprocess.run(  # noqa: S603
        [*map(str, words)], cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in BUILD:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns(*NOT_SHIPPED[1:]))
        else:
            shutil.copy(ROOT / name, source / name)
    built = run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source, cwd=folder)
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path) -> Path:
    """The `bin` folder of an environment with the wheel."""
    folder = wheel.parent / "environment"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    shared = [path for path in sys.path if Path(path).name == "site-packages"]
    (site / "dependencies.pth").write_text("\n".join(shared) + "\n", encoding="utf-8")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--force-reinstall",
    )
    installed = run(*pip, "--prefix", folder, wheel, cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return folder / "bin"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "conftest.py": CONFTEST,
        "pytest.ini": "[pytest]\npythonpath = .\naddopts = --strict-markers\n",
        "steps/__init__.py": "",
        "steps/greeting.py": STEPS,
        "features/login.feature": LOGIN,
        "tests/test_login.py": LOGIN_TEST,
        "tests/test_target.py": TARGET_TEST,
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def own_case(project: Path) -> Path:
    """A feature of the suite in a folder of the project; its tags name requirements of the profile rollout."""
    file = project / "quality" / "gate" / "own.feature"
    file.parent.mkdir(parents=True)
    shutil.copy(ROOT / "features" / "rollout" / "first.feature", file)
    return file


def test_the_wheel_has_every_file_that_is_no_test(wheel: Path) -> None:
    shipped = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"rollout_conformance/{file.relative_to(ROOT).as_posix()}"
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and file.suffix != ".pyc" and not set(NOT_SHIPPED) & set(file.parts)
    }
    assert expected - shipped == set()
    assert "rollout_conformance/py.typed" in shipped
    assert "rollout_conformance/steps/fuzzing/schemathesis.toml" in shipped
    assert [name for name in shipped if "/tests/" in name or name.startswith(("steps/", "bench/"))] == []


def test_the_suite_is_imported_from_the_wheel(environment: Path, project: Path) -> None:
    program = "import steps.greeting, rollout_conformance.steps.paths as p; print(steps.greeting.name(), p.ROOT)"
    shown = run(environment / "python", "-c", program, cwd=project)
    assert shown.stdout.startswith("a module of the project"), shown.stderr
    assert str(environment.parent) in shown.stdout


def test_a_project_without_cases_of_the_suite_runs_as_without_it(environment: Path, project: Path) -> None:
    ended = run(environment / "python", "-m", "pytest", "-q", cwd=project)
    assert "2 passed" in ended.stdout, ended.stdout + ended.stderr


def test_own_cases_run_beside_those_of_the_project(environment: Path, project: Path, own_case: Path) -> None:
    ended = run(environment / "python", "-m", "pytest", "-q", "-rA", cwd=project)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "PASSED quality/gate/own.feature::Five plus three[sync]" in ended.stdout
    assert "PASSED tests/test_login.py::test_a_user_logs_in" in ended.stdout


def test_the_command_line_judges_by_an_own_case(environment: Path, project: Path, own_case: Path) -> None:
    ended = run(environment / "rollout-conformance", "run", own_case, cwd=project)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Nothing required is broken" in ended.stdout
    as_chat = run(environment / "rollout-conformance", "run", "--profile", "chat", own_case, cwd=project)
    assert as_chat.returncode == 2
    assert "belongs to profile rollout, and this file is read as profile chat" in as_chat.stderr
