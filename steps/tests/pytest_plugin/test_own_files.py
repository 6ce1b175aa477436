"""Which files the plugin takes, and which it leaves to the project."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.pytest_plugin import options, own_files
from rollout_conformance.steps.pytest_plugin.own_files import CONTRACT, FEATURE, SCENARIO

TAGGED = "Feature: f\n\n  @ROLLOUT-112 @sync\n  Scenario: s\n    When a\n"
CASES = "cases:\n- name: a\n  requirements: [CHAT-050]\n"


def config(*args: object, **given: Any) -> Any:
    values = {options.DEST + name: value for name, value in given.items()}
    return SimpleNamespace(
        args=list(map(str, args)), option=SimpleNamespace(**values), invocation_params=SimpleNamespace(dir=Path.cwd())
    )


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    "text",
    [
        TAGGED,
        TAGGED.replace("@ROLLOUT-112 @sync", "@sync @chat-050"),
        "@ROUTER-001\n" + TAGGED.replace("@ROLLOUT-112", "@mine"),
    ],
)
def test_a_feature_that_names_a_requirement_is_taken_in_any_folder(tmp_path: Path, text: str) -> None:
    assert own_files.kind(written(tmp_path, "x.feature", text), config()) == FEATURE


@pytest.mark.parametrize(
    "text",
    [
        TAGGED.replace("@ROLLOUT-112", ""),
        TAGGED.replace("@ROLLOUT-112", "@ROLLOUT @PAY-112"),
        TAGGED.replace("@ROLLOUT-112", "").replace("Scenario: s", "Scenario: as ROLLOUT-112"),
        "# @ROLLOUT-112\n" + TAGGED.replace("@ROLLOUT-112", ""),
        "",
    ],
)
def test_any_other_feature_is_left_to_the_project(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, "x.feature", text)
    assert own_files.kind(file, config(file)) is None
    assert own_files.kind(file, config(tmp_path, profile="rollout")) is None


def test_a_feature_that_is_named_with_a_profile_is_taken(tmp_path: Path) -> None:
    """The author is then shown what is missing in it."""
    file = written(tmp_path, "x.feature", TAGGED.replace("@ROLLOUT-112", ""))
    assert own_files.kind(file, config(f"{file}::s", profile="rollout")) == FEATURE


@pytest.mark.parametrize(
    "text",
    [
        CASES,
        "# yaml-language-server: $schema=x\ntags: [a]\n" + CASES.replace("[CHAT-050]", "\n  - 'chat-050'"),
        "cases:\n- {name: a, requirements: [ROLLOUT-112], steps: [start]}\n",
    ],
)
def test_a_scenario_file_that_names_a_requirement_is_taken_in_any_folder(tmp_path: Path, text: str) -> None:
    assert own_files.kind(written(tmp_path, "x.yaml", text), config(tmp_path)) == SCENARIO


@pytest.mark.parametrize(
    "text",
    [
        "test_name: a\nstages: []\n",
        "requirements: [CHAT-050]\n",
        "suite:\n  cases:\n  - requirements: [CHAT-050]\n",
        "cases:\n- name: as CHAT-050\n  requirements: [PAY-7]\n",
        "cases: [{{cookiecutter.name}}]\n",
        "",
    ],
)
def test_any_other_yaml_is_left_to_the_project(tmp_path: Path, text: str) -> None:
    assert own_files.kind(written(tmp_path, "x.yaml", text), config(tmp_path)) is None


@pytest.mark.parametrize("suffix", ["", ":2", "::a"])
def test_a_file_with_cases_that_is_named_is_taken_so_that_its_author_is_told_what_is_missing(
    tmp_path: Path, suffix: str
) -> None:
    file = written(tmp_path, "x.yaml", "cases:\n- name: a\n")
    assert own_files.kind(file, config(f"{file}{suffix}")) == SCENARIO
    other = written(tmp_path, "test_api.tavern.yaml", "test_name: a\nstages: []\n")
    assert own_files.kind(other, config(f"{other}{suffix}")) is None


@pytest.mark.parametrize(("name", "text"), [("openapi.yaml", "openapi: 3.1.0\n"), ("openapi.json", "{}")])
def test_a_contract_is_taken_when_it_is_named(tmp_path: Path, name: str, text: str) -> None:
    file = written(tmp_path, name, text)
    assert own_files.kind(file, config(tmp_path)) is None
    assert own_files.kind(file, config(file)) == CONTRACT
    assert own_files.kind(file, config(contract=file)) == CONTRACT


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("features/rollout/first.feature", FEATURE),
        ("scenarios/chat/surface.yaml", SCENARIO),
        ("contracts/rollout/openapi.sync.yaml", CONTRACT),
        ("contracts/rollout/requirements.yaml", None),
        ("scenarios/cards/reference.yaml", None),
        ("pyproject.toml", None),
    ],
)
def test_of_the_files_of_the_suite_the_cases_and_contracts_are_taken(name: str, kind: str | None) -> None:
    assert own_files.kind(ROOT / name, config()) == kind
