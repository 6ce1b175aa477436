"""Mistakes of an author that show before a case is played."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.steps.cli import cli

CASE = """\
cases:
- name: a learning rate of zero moves nothing
  requirements: [TRAINING-006]
  steps:
  - {forward: {batch: probe, name: before}}
  - {optim_step: {learning_rate: 0}}
  - {forward: {batch: probe, name: after}}
  expect: [{same_numbers: [before, after]}]
"""


def told_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    output = CliRunner().invoke(cli, ["lint", str(file)]).output
    return [line.removeprefix(f"{file}:") for line in output.splitlines()]


def test_that_no_model_was_created_is_said_once(tmp_path: Path) -> None:
    first, *_ = told = told_of(tmp_path, CASE)
    assert first.startswith("5:5: no model was created before this step; write `create_model` first")
    assert sum("model" in line for line in told) == 1


@pytest.mark.parametrize(("created", "wrong"), [("create_model", 0), ("create_model: b", 1)])
def test_a_model_of_another_name_is_unknown(tmp_path: Path, created: str, wrong: int) -> None:
    told = told_of(tmp_path, CASE.replace("  steps:", f"  steps:\n  - {created}"))
    assert sum("unknown model 'a'. Known: b." in line for line in told) == wrong
    assert (told[-1] == "training: 2 cases, nothing wrong") is not bool(wrong)
