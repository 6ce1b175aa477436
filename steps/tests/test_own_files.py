"""Files that a user names: found in folders and in folders of folders, read as what they are about, checked without a target."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.steps import case_catalog, lint
from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.commands.conclusion import conclude
from rollout_conformance.steps.commands.exit_code import FINDINGS, NO_JUDGEMENT, OK
from rollout_conformance.steps.engine.findings import Judgement, SuiteError, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.run_setup import RunOptions

CASE = "cases:\n- name: {name}\n  requirements: [{about}]\n  steps: [{step}]\n  expect: [{expected}]\n"
CHAT = CASE.format(name="a chat", about="CHAT-050", step="{chat: {user: Hello!}}", expected="{status: 200}")
ROLLOUT = CASE.format(name="a rollout", about="ROLLOUT-112", step="start, wait_for_end", expected="{completed: stop}")
ROLLOUT += "  trainer: [{text: Done.}]\n"
PROSE = (
    "Feature: f\n\n  @ROLLOUT-112\n  Scenario: prose\n"
    '    Given the policy answers "Done."\n'
    "    When the trainer starts the rollout\n    And the rollout ends\n"
    "    Then the rollout completes\n"
)


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        file = folder / name.replace("__", "/").replace("_feature", ".feature").replace("_yaml", ".yaml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def lint_says(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["lint", *map(str, words)])
    return result.exit_code, result.output


def test_files_in_folders_of_folders_are_checked_each_as_what_it_is_about(tmp_path: Path) -> None:
    folder = written(tmp_path, a_yaml=CHAT, deep__b_yaml=ROLLOUT, deep__er__c_feature=PROSE)
    code, output = lint_says(folder)
    assert (code, output) == (OK, "chat: 1 case, nothing wrong\nrollout: 8 cases, nothing wrong\n")


def test_what_is_wrong_with_own_files_is_told_and_fails(tmp_path: Path) -> None:
    folder = written(tmp_path, a_yaml=ROLLOUT.replace("stop", "stopp"))
    code, output = lint_says(folder / "a.yaml")
    assert code == FINDINGS
    assert output.startswith(f"{folder / 'a.yaml'}:5:12: unknown finish reason 'stopp'")


def test_a_profile_that_is_none_is_refused_with_what_is_near() -> None:
    result = CliRunner().invoke(cli, ["lint", "--profile", "rolout"])
    assert isinstance(result.exception, SuiteError)
    assert "Did you mean rollout" in str(result.exception)


def test_a_file_of_another_profile_says_so(tmp_path: Path) -> None:
    file = written(tmp_path, a_yaml=CHAT) / "a.yaml"
    problems = lint.of_files([file], PROFILES["router"], None).problems
    assert any("CHAT-050 belongs to profile chat, and this file is read as profile router" in line for line in problems)


@pytest.mark.parametrize(
    ("name", "text", "profile"),
    [
        ("chat__x_yaml", ROLLOUT, "rollout"),  # what it names counts before where it stands
        ("chat__x_yaml", "cases: []\n", "chat"),
        ("chat__deep__x_yaml", "cases: [\n", "chat"),
        ("x_yaml", "cases: []\n", "rollout"),
        ("x_feature", PROSE.replace("@ROLLOUT-112", "@router-001"), "router"),
        ("x_feature", PROSE.replace("Scenario:", "Scenario: like CHAT-050"), "rollout"),
    ],
)
def test_the_profile_of_a_file_is_that_of_its_requirements(tmp_path: Path, name: str, text: str, profile: str) -> None:
    written(tmp_path, **{name: text})
    (file,) = case_catalog.within([tmp_path])
    assert case_catalog.profile_in(file).name == profile


def test_our_own_folders_say_what_their_files_are_about() -> None:
    assert case_catalog.profile_in(ROOT / "features" / "router" / "admin" / "x.feature").name == "router"
    assert case_catalog.profile_in(ROOT / "scenarios" / "chat" / "surface.yaml").name == "chat"


def test_a_file_about_two_profiles_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, x_yaml=ROLLOUT + CHAT.removeprefix("cases:\n")) / "x.yaml"
    with pytest.raises(SuiteError, match="several profiles: rollout \\(ROLLOUT-112\\) and chat \\(CHAT-050\\)"):
        case_catalog.profile_in(file)


def test_files_about_two_profiles_are_no_run(tmp_path: Path) -> None:
    folder = written(tmp_path, a_yaml=CHAT, b_yaml=ROLLOUT)
    with pytest.raises(SuiteError, match="A run judges one target"):
        case_catalog.profile_among(case_catalog.within([folder]))


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="no case file there"):
        case_catalog.within([tmp_path])


@pytest.mark.parametrize("profile", PROFILES)
def test_cases_in_folders_of_a_folder_are_cases_of_its_profile(tmp_path: Path, profile: str) -> None:
    """They are counted, and they are played: a case of another profile would be dropped by the run."""
    first = next(file for file in case_catalog.files(profile) if file.suffix == ".feature")
    written(tmp_path, **{f"features__{profile}__deep__er__x_feature": first.read_text(encoding="utf-8")})
    data = next(file for file in case_catalog.files(profile) if file.suffix == ".yaml")
    written(tmp_path, **{f"scenarios__{profile}__deep__x_yaml": data.read_text(encoding="utf-8")})
    cases = case_catalog.every(profile, tmp_path)
    assert {case.at.file for case in cases} == {
        f"features/{profile}/deep/er/x.feature",
        f"scenarios/{profile}/deep/x.yaml",
    }
    assert {case.profile for case in cases} == {profile}


def test_cases_are_read_again_only_where_a_file_beside_them_has_changed(tmp_path: Path) -> None:
    file = written(tmp_path, scenarios__chat__x_yaml=CHAT) / "scenarios/chat/x.yaml"
    first, second = (case_catalog.every("chat", tmp_path) for _ in range(2))
    assert all(one is other for one, other in zip(first, second, strict=True))
    second.clear()  # the list is the caller's own
    file.write_text(CHAT.replace("name: ", "name: other ", 1), encoding="utf-8")
    third = case_catalog.every("chat", tmp_path)
    assert len(third) == len(first)
    assert third[0].name == f"other {first[0].name}"
    written(tmp_path, scenarios__chat__body_json="{}")  # a case may refer to it
    assert case_catalog.every("chat", tmp_path)[0] is not third[0]


def test_a_run_that_judges_nothing_could_not_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every case was played, and none gave evidence: nobody may take that for a pass."""
    file = written(tmp_path, a_yaml=ROLLOUT) / "a.yaml"
    (case, *_) = case_catalog.among([file], PROFILES["rollout"])
    silent = Outcome(case, Judgement(Verdict.INCONCLUSIVE, {}, (), "the occasion never arose"), None, 0.0, "")
    assert conclude(RunOptions(), [silent], Baseline(), 1) == NO_JUDGEMENT
    assert "Nothing was judged" in capsys.readouterr().err
    held = Outcome(case, Judgement(Verdict.PASS, {"ROLLOUT-112": Verdict.PASS}), None, 0.0, "")
    assert conclude(RunOptions(), [silent, held], Baseline(), 2) == OK
