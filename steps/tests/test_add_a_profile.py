"""The page `docs/add_a_profile.md` as it stands: its files in a folder, registered by its entry point."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rollout_conformance.steps.paths import ROOT

PAGE = ROOT / "docs" / "add_a_profile.md"
FILE = re.compile(r"^```(?:yaml|python|gherkin|toml)\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page, and what an installation of its pyproject.toml leaves beside them."""
    folder = tmp_path_factory.mktemp("echo")
    for name, text in FILE.findall(PAGE.read_text(encoding="utf-8")):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    installed.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (installed / "METADATA").write_text(metadata, encoding="utf-8")
    points = [
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (installed / "entry_points.txt").write_text("\n".join(points) + "\n", encoding="utf-8")
    return folder


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / ".src")])}
    program = [sys.executable, "-c", "from rollout_conformance.steps.entry import main; main()"]
    return subprocess.run(  # noqa: S603 - the words of this file
        [*program, *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def commands() -> list[tuple[list[str], str]]:
    """The commands of the page with what they print; nothing where the page shows nothing."""
    (shown,) = CONSOLE.findall(PAGE.read_text(encoding="utf-8"))
    parts = [part.partition("\n") for part in shown.split("$ rollout-conformance ")[1:]]
    return [(line.split(), printed) for line, _, printed in parts]


@pytest.mark.parametrize(
    ("words", "printed"), commands(), ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else ""
)
def test_a_command_of_the_page_prints_what_the_page_shows(folder: Path, words: list[str], printed: str) -> None:
    done = command(folder, *words)
    if printed:
        assert (done.stdout, done.returncode) == (printed, 0), done.stderr
    else:
        said = re.search(r"`(Not conformant: [^`]+)`", PAGE.read_text(encoding="utf-8"))
        assert said is not None
        assert done.stdout.endswith(said[1] + "\n"), done.stdout + done.stderr
        assert done.returncode == 1


def test_explain_knows_a_requirement_of_the_page(folder: Path) -> None:
    done = command(folder, "explain", "ECHO-001")
    assert "The server MUST return the text that it received." in done.stdout
    assert "A text comes back" in done.stdout


def test_a_name_that_is_no_profile_is_told_with_those_near_it(folder: Path) -> None:
    assert "echo" in command(folder, "lint", "--profile", "echoo").stderr.replace("echoo", "")


def test_a_requirement_of_the_suite_is_explained_beside_another_profile(folder: Path) -> None:
    assert "ROUTER-001" in command(folder, "explain", "ROUTER-001").stdout


def test_two_profiles_of_one_name_are_refused(folder: Path) -> None:
    points = folder / "echo_profile-1.0.dist-info" / "entry_points.txt"
    kept = points.read_text(encoding="utf-8")
    try:
        points.write_text(kept.replace("echo =", "router ="), encoding="utf-8")
        assert "there is a profile of that name already" in command(folder, "lint").stderr
    finally:
        points.write_text(kept, encoding="utf-8")
