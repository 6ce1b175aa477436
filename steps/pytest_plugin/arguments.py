"""Arguments of pytest that mean more than a path: a line of a feature, and the folder of features that the suite ships."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.pytest_plugin import own_files


def widened(arg: str, config: pytest.Config) -> Iterator[str]:
    """`features/x.feature:12` names the scenario around line 12; a folder of shipped features brings its scenarios along."""
    line = re.fullmatch(r"(.+\.feature):(\d+)", arg)
    if line and own_files.kind(config.invocation_params.dir / line[1], config) is not None:
        yield _scenario_at(Path(line[1]), int(line[2]), config)
        return
    yield arg
    folder = (config.invocation_params.dir / arg).resolve()
    if folder.is_dir() and folder.is_relative_to(ROOT / "features"):
        scenarios = ROOT / "scenarios" / folder.relative_to(ROOT / "features")
        if scenarios.is_dir() and str(scenarios) not in config.args:
            yield str(scenarios)


def _scenario_at(file: Path, line: int, config: pytest.Config) -> str:
    from rollout_conformance.steps.case_catalog import profile_in
    from rollout_conformance.steps.engine.findings import SuiteError
    from rollout_conformance.steps.scenario.gherkin import compile_feature

    path = (config.invocation_params.dir / file).resolve()
    try:
        compiled = compile_feature(path, profile_in(path), ROOT)
    except (SuiteError, OSError) as error:
        raise pytest.UsageError(str(error)) from None
    before = [one for one in compiled if one.line <= line]
    if not before:
        raise pytest.UsageError(
            f"{file}:{line}: no scenario includes this line; the first begins in line {compiled[0].line}"
        )
    return f"{file}::{before[-1].name.partition('[')[0]}"
