"""`pytest own/qa.feature`: a file of a user is collected and played as what it is about, wherever it stands."""

import subprocess
import sys
from pathlib import Path

import pytest

from rollout_conformance.steps.paths import ROOT

PROSE = (
    'Feature: f\n\n  @ROLLOUT-112 @callback\n  Scenario: prose of a user\n    Given the policy answers "Done."\n'
    "    When the trainer starts the rollout\n    And the rollout ends\n    Then the rollout completes\n"
)


VARIANT = PROSE.replace("@callback", "@callback @variant:nosuch")
TYPO = PROSE.replace("When the trainer starts", "When the trainer startes")


def run_pytest(*words: object) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False).stdout  # noqa: S603


def written(folder: Path, **texts: str) -> list[Path]:
    """Features in a folder of a folder whose names say nothing."""
    files = [folder / "own" / "deep" / f"{name}.feature" for name in texts]
    files[0].parent.mkdir(parents=True)
    for file, text in zip(files, texts.values(), strict=True):
        file.write_text(text, encoding="utf-8")
    return files


def test_an_own_file_is_played(tmp_path: Path) -> None:
    assert "1 passed" in run_pytest(*written(tmp_path, right=PROSE))


def test_an_own_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    output = run_pytest("--collect-only", *written(tmp_path, right=PROSE, variant=VARIANT, typo=TYPO))
    assert "1 test collected, 2 errors" in output
    assert "unknown variant 'nosuch'" in output
    assert "no phrase for: when the trainer startes the rollout" in output


@pytest.mark.parametrize("written", ["ROLOUT-112", "ROLLOUT_112", "rollout112"])
def test_a_scenario_file_whose_only_requirement_is_misspelled_is_not_left_out(written: str, tmp_path: Path) -> None:
    case = (
        f"- name: a typo\n  requirements: [{written}]\n  trainer: [{{text: Done.}}]\n  expect: [{{completed: stop}}]\n"
    )
    (tmp_path / "own.yaml").write_text(f"cases:\n{case}", encoding="utf-8")
    (tmp_path / "other.yaml").write_text("cases:\n- requirements: [PROJECT-112]\n", encoding="utf-8")
    output = run_pytest("--collect-only", tmp_path)
    assert f"own.yaml:3:18: cases.0.requirements.0: no requirement {written} in the catalogue" in output
    assert "other.yaml" not in output


def test_a_named_file_is_read_as_the_profile_that_is_asked_for(tmp_path: Path) -> None:
    output = run_pytest("--collect-only", "--profile", "chat", *written(tmp_path, right=PROSE))
    assert "ROLLOUT-112 belongs to profile rollout, and this file is read as profile chat" in output
