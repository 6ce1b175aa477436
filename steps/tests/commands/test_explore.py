from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.steps.cli import cli


def test_exploring_writes_nothing_into_the_folder_that_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["explore", "--dialect", "sync", "--walks", "2"])
    assert (result.exit_code, list(tmp_path.iterdir())) == (0, []), result.output
