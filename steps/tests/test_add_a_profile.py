"""The page `docs/add_a_profile.md` as it stands: its files in a folder, registered by its entry point."""

import contextlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
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


@contextlib.contextmanager
def changed(file: Path, old: str, new: str) -> Iterator[None]:
    kept = file.read_text(encoding="utf-8")
    assert old in kept
    try:
        file.write_text(kept.replace(old, new), encoding="utf-8")
        yield
    finally:
        file.write_text(kept, encoding="utf-8")


def test_a_case_of_the_profile_begins_as_one_of_its_own(folder: Path) -> None:
    """There is no template of a profile that the suite does not ship: its own case about the requirement is the example."""
    file = folder / "new.yaml"
    try:
        written = command(folder, "new", "case", str(file), "--profile", "echo", "--title", "mine")
        assert written.returncode == 0, written.stderr
        checked = command(folder, "lint", str(file))
        assert (checked.returncode, "echo: 1 case, nothing wrong" in checked.stdout) == (0, True), checked.stdout
    finally:
        file.unlink(missing_ok=True)
    feature = command(folder, "new", "feature", str(folder / "new.feature"), "--profile", "echo")
    assert "there is no beginning of a feature; copy one of its own cases" in feature.stderr


def test_a_second_profile_of_one_name_is_reported_and_ignored(folder: Path) -> None:
    with changed(folder / "echo_profile-1.0.dist-info" / "entry_points.txt", "echo =", "router ="):
        done = command(folder, "lint")
    assert (
        "the entry point router = echo_profile.profile:PROFILE of rollout_conformance.profiles is ignored"
        in done.stderr
    )
    assert done.returncode == 0


def test_a_profile_that_cannot_be_imported_leaves_the_others_alone(folder: Path) -> None:
    with changed(folder / "echo_profile" / "profile.py", "HERE = Path", "import no_such_module\n\nHERE = Path"):
        named, all_of_them = command(folder, "run", "--profile", "echo"), command(folder, "lint")
        explained = command(folder, "explain", "NONE-001")
    told = "profile echo (echo_profile.profile:PROFILE) cannot be loaded: ModuleNotFoundError: No module named 'no_such_module', at "
    assert (named.returncode, told in named.stderr, "profile.py:" in named.stderr) == (2, True, True)
    assert "fault of the suite" not in named.stderr
    assert (all_of_them.returncode, told in all_of_them.stderr) == (0, True)
    assert "no such requirement" in explained.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("requirements.yaml", "level: must", "level: most", "requirements.yaml:9: ECHO-001: level: saw 'most'"),
        ("profile.py", "{text}", "{txt}", "@phrase('the client sends {txt}'): {txt}: unknown member 'txt'"),
        ("profile.py", "return Check(", "return self.nothing(", "the profile echo failed, at profile.py:"),
        ("mutants.py", '"what": what', '"wot": what', "which is not a mutant: what: Field required"),
        ("mutants.py", "print(", "missing(", "python -m echo_profile.mutants` failed: NameError"),
        ("profile.py", ', Mutants("echo_profile.mutants", "ECHO_MUTANT")', "", "its `reference` has no `mutants`"),
    ],
)
def test_a_mistake_of_the_author_is_no_fault_of_the_suite(
    folder: Path, file: str, old: str, new: str, told: str
) -> None:
    words = ("run", "mutants") if file == "mutants.py" or "Mutants" in old else ("run",)
    with changed(folder / "echo_profile" / file, old, new):
        done = command(folder, words[-1], "--profile", "echo")
    assert done.returncode == 2
    printed = done.stdout + done.stderr
    assert told in printed
    assert "suite" not in printed


def test_a_profile_without_exploration_is_not_explored(folder: Path) -> None:
    done = command(folder, "explore", "--profile", "echo")
    assert (done.returncode, "the profile has no `explore`" in done.stderr) == (2, True)


def test_the_schema_of_another_profile_is_written_where_it_is_asked_for(folder: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / ".src")])}
    module = "rollout_conformance.steps.scenario.schema"
    subprocess.run([sys.executable, "-m", module, "echo", str(folder)], env=env, check=True)  # noqa: S603 - the words of this file
    assert '"echoed"' in (folder / "echo.schema.json").read_text(encoding="utf-8")
    assert not (ROOT / "scenarios" / "echo.schema.json").exists()
