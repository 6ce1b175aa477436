"""Files of a user are named from the working directory: in messages, in ids of cases and in the command that plays one again."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.paths import ROOT, shown
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.run_setup import RunOptions, rerun

WRONG = "cases:\n- name: a\n  requirements: [ROLLOUT-112]\n  stps: [start]\n"
RIGHT = "cases:\n- name: a\n  requirements: [ROLLOUT-112]\n  steps: [start, wait_for_end]\n"
TWO = "Feature: f\n\n  @ROLLOUT-112 @CHAT-020\n  Scenario: own\n    When the trainer starts the rollout\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_is_named_from_where_the_user_stands(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = project / "sub" / "a.yaml"
    assert shown(file) == "sub/a.yaml"
    assert shown(project / "-a.yaml") == "./-a.yaml"
    monkeypatch.chdir(project / "sub")
    assert (shown(file), shown(project / "b.yaml")) == ("a.yaml", "../b.yaml")
    assert shown(file, folder=project) == "sub/a.yaml"
    assert shown(Path("/a.yaml")) == "/a.yaml"  # the way from here is longer


def test_a_file_of_the_suite_is_named_from_its_root(project: Path) -> None:
    name = "scenarios/rollout/tools.yaml"
    assert (ROOT / name).is_file()
    assert shown(ROOT / name) == name
    assert shown(project / name) == str(project / name)  # the same name would be read as the suite's own file


@pytest.mark.parametrize("name", ["bad.yaml", "sub/bad.yaml", "./bad.yaml"])
@pytest.mark.parametrize("absolute", [True, False])
def test_lint_and_run_name_files_from_there(project: Path, name: str, absolute: bool) -> None:
    (project / name).write_text(WRONG)
    given = str(project / name) if absolute else name
    told = f"{os.path.normpath(name)}:4:3: cases.0.stps: unknown key 'stps'."
    assert CliRunner().invoke(cli, ["lint", given]).output.startswith(told)
    assert str(CliRunner().invoke(cli, ["run", given]).exception).startswith(told)


def test_a_file_about_two_profiles_is_named_from_there(project: Path) -> None:
    (project / "two.feature").write_text(TWO)
    assert CliRunner().invoke(cli, ["lint", "two.feature"]).output.startswith("two.feature:1:1: the file names")


def test_ids_and_reruns_are_the_same_in_each_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for checkout in ("one", "two"):
        (tmp_path / checkout / "my cases").mkdir(parents=True)
        (tmp_path / checkout / "my cases" / "a.yaml").write_text(RIGHT)
        monkeypatch.chdir(tmp_path / checkout)
        (case, *_) = case_catalog.among([Path("my cases/a.yaml")], profile_of("rollout"))
        found.append((case.id, rerun(RunOptions(), case), rerun(RunOptions(), case, alone=False)))
    assert found[0] == found[1]
    identity, alone, together = found[0]
    assert identity == "my cases/a.yaml::a[sync]"
    assert alone == "rollout-conformance run --profile rollout --dialect sync 'my cases/a.yaml' --case a"
    assert "'my cases' -j 32" in together


def test_the_command_that_plays_a_case_of_the_suite_names_no_file() -> None:
    case = case_catalog.every("rollout")[0]
    assert case.at.file not in rerun(RunOptions(), case)


@pytest.mark.parametrize(
    ("words", "noted"),
    [
        (["a.yaml"], True),
        (["--card", "card.yaml", "--case", "Five plus three"], True),
        (["--case", "Five plus three", "--dialect", "sync"], True),
        (["--case", "Five plus three", "--target", "app:rollout_server.rollout.app:create_app"], False),
        (["a.yaml", "--dry-run"], False),
    ],
)
def test_who_names_no_target_learns_what_is_judged(project: Path, words: list[str], noted: bool) -> None:
    (project / "a.yaml").write_text(RIGHT.replace("steps:", "dialects: [sync]\n  trainer: [{text: Done.}]\n  steps:"))
    (project / "card.yaml").write_text("dialects: [sync]\n")
    result = CliRunner().invoke(cli, ["run", *words])
    assert result.exit_code == 0, result.output
    assert ("NOTE  No --target is given: the reference of the profile rollout is judged." in result.stderr) is noted


def test_a_profile_that_is_not_installed_is_named(project: Path) -> None:
    (project / "a.yaml").write_text(RIGHT.replace("ROLLOUT-112", "MYPROFILE-001"))
    told = CliRunner().invoke(cli, ["lint", "a.yaml"]).output
    assert "no profile with ids of MYPROFILE is installed. Installed: rollout, trainer, chat," in told
