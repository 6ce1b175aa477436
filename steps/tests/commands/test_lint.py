"""`lint`: what it prints and its exit code."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.commands.exit_code import FINDINGS, OK


def test_the_cases_of_a_profile_are_counted_and_listed() -> None:
    cases = case_catalog.every("router")
    result = CliRunner().invoke(cli, ["lint", "--profile", "router", "--list"])
    *listed, last = result.output.splitlines()
    assert (result.exit_code, last) == (OK, f"router: {len(cases)} cases, nothing wrong")
    assert listed == [f"{case.at}  {case.name}[{case.dialect}]  {' '.join(case.requirements)}" for case in cases]


def test_what_is_wrong_is_printed_instead(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("cases:\n- name: a\n  requirements: [CHAT-050]\n", encoding="utf-8")
    result = CliRunner().invoke(cli, ["lint", "--list", str(file)])
    assert result.exit_code == FINDINGS
    assert f"{file}:2:3: cases.0.steps: the key 'steps' is missing" in result.output
    assert "nothing wrong" not in result.output


TAGGED = "Feature: f\n\n  @ROLLOUT-112 @sync\n  Scenario: own\n    When the rollout is startet\n"


def test_in_a_folder_features_without_a_requirement_are_left_to_other_tools(tmp_path: Path) -> None:
    own, other, hidden = (tmp_path / name for name in ("own.feature", "login.feature", ".venv/x.feature"))
    hidden.parent.mkdir()
    own.write_text(TAGGED, encoding="utf-8")
    hidden.write_text(TAGGED, encoding="utf-8")
    other.write_text(TAGGED.replace("@ROLLOUT-112 ", ""), encoding="utf-8")
    result = CliRunner().invoke(cli, ["lint", str(tmp_path)])
    assert result.exit_code == FINDINGS
    assert f"{own}:5:5: no phrase for" in result.output
    assert f"NOTE  {other}: no tag names a requirement, so it is left to other tools.\n" in result.output
    assert str(hidden) not in result.output


@pytest.mark.parametrize(
    ("tag", "meant"), [("@ROLOUT-112", "@ROLLOUT-112"), ("@ROLLOUT_112", "@ROLLOUT-112"), ("@ROUTR-5", "@ROUTER-5")]
)
@pytest.mark.parametrize("alone", [True, False])
def test_a_tag_that_is_nearly_a_requirement_is_a_mistake(tmp_path: Path, tag: str, meant: str, alone: bool) -> None:
    other = tmp_path / "other.feature"
    other.write_text(TAGGED.replace("@ROLLOUT-112", tag), encoding="utf-8")
    if not alone:
        (tmp_path / "own.feature").write_text(TAGGED.replace("startet", "started"), encoding="utf-8")
    result = CliRunner().invoke(cli, ["lint", str(tmp_path)])
    assert result.exit_code == FINDINGS
    assert f"{other}:3: the tag {tag} names no requirement. Did you mean {meant}?\n" in result.output


@pytest.mark.parametrize("tag", ["@TRAIN-112", "@WORK-3", "@JIRA-112", "@smoke"])
def test_a_tag_of_another_tool_is_none(tmp_path: Path, tag: str) -> None:
    (tmp_path / "own.feature").write_text(TAGGED.replace("startet", "started"), encoding="utf-8")
    (tmp_path / "other.feature").write_text(TAGGED.replace("@ROLLOUT-112", tag), encoding="utf-8")
    result = CliRunner().invoke(cli, ["lint", str(tmp_path)])
    assert "so it is left to other tools" in result.output
    assert "Did you mean" not in result.output


def test_a_folder_with_nothing_but_features_of_other_tools_is_refused(tmp_path: Path) -> None:
    (tmp_path / "login.feature").write_text(TAGGED.replace("@ROLLOUT-112 ", ""), encoding="utf-8")
    result = CliRunner().invoke(cli, ["lint", str(tmp_path)])
    assert result.exit_code == FINDINGS
    assert "none of its 1 feature(s) names a requirement" in result.output


def test_files_of_other_tools_are_left_alone_where_a_hook_names_them(tmp_path: Path) -> None:
    """pre-commit names every file that was changed, also those of behave and of Helm."""
    texts = {
        "behave.feature": TAGGED.replace("@ROLLOUT-112 ", ""),
        "chart.yaml": "cases: {{ .Values.cases }}\n",
        "other.yml": "foo: 1\n",
    }
    others = [tmp_path / name for name in texts]
    for file in others:
        file.write_text(texts[file.name], encoding="utf-8")
    result = CliRunner().invoke(cli, ["lint", "--leave-others", *map(str, others)])
    assert (result.exit_code, result.output) == (OK, "")
    own, near = tmp_path / "own.feature", tmp_path / "near.feature"
    own.write_text(TAGGED, encoding="utf-8")
    near.write_text(TAGGED.replace("@ROLLOUT-112", "@ROLOUT-112"), encoding="utf-8")
    result = CliRunner().invoke(cli, ["lint", "--leave-others", *map(str, [*others, own, near])])
    assert result.exit_code == FINDINGS
    assert f"{own}:5:5: no phrase for" in result.output
    assert f"{near}:" in result.output
    assert "other.yml" not in result.output


def test_a_card_is_not_taken_for_cases(tmp_path: Path) -> None:
    card = tmp_path / "card.yaml"
    card.write_text("dialects: [sync]\n", encoding="utf-8")
    result = CliRunner().invoke(cli, ["lint", str(card)])
    assert result.exit_code == FINDINGS
    assert "this looks like a target card, which is given with --card" in result.output
    card.write_text("case: []\n", encoding="utf-8")
    assert "unknown key 'case'. Did you mean cases?" in CliRunner().invoke(cli, ["lint", str(card)]).output
