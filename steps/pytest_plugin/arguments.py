"""Arguments of pytest that mean more than a path: a line of a case file, and the folder of features that the suite ships."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.pytest_plugin import options, own_files


def widened(arg: str, config: pytest.Config) -> Iterator[str]:
    """`features/x.feature:12` and `cases/x.yaml:12` name the case around line 12; a folder of shipped features brings its scenarios along."""
    address = own_files.file_and_line(arg)
    if address is not None:
        file, line = address
        if own_files.kind(config.invocation_params.dir / file, config) in (own_files.FEATURE, own_files.SCENARIO):
            yield from _at(Path(file), line, config)
            return
    yield arg
    folder = (config.invocation_params.dir / arg).resolve()
    if folder.is_dir() and folder.is_relative_to(ROOT / "features"):
        scenarios = ROOT / "scenarios" / folder.relative_to(ROOT / "features")
        if scenarios.is_dir() and str(scenarios) not in config.args:
            yield str(scenarios)


def _at(file: Path, line: int, config: pytest.Config) -> list[str]:
    """The items of the case that includes a line, each as an argument: a case in YAML has one a row and dialect."""
    from rollout_conformance.steps.case_catalog import load, profile_in
    from rollout_conformance.steps.engine.findings import SuiteError
    from rollout_conformance.steps.profiles import profile_of
    from rollout_conformance.steps.scenario.gherkin import compile_feature

    path, given = (config.invocation_params.dir / file).resolve(), options.of(config)
    try:
        profile = profile_of(given.profile) if given.profile else profile_in(path)
        if path.suffix == ".feature":  # the title of an outline stands for all its rows and dialects
            begun = [(one.line, one.name.partition("[")[0]) for one in compile_feature(path, profile, ROOT)]
        else:
            cases = [case for case in load(path, profile) if given.dialect in (None, case.dialect)]
            begun = [(case.at.line, f"{case.name}[{case.dialect}]") for case in cases]
    except (SuiteError, OSError) as error:
        raise pytest.UsageError(str(error)) from None
    last = max((begins for begins, _ in begun if begins <= line), default=None)
    if last is None:
        first = f"; the first begins in line {begun[0][0]}" if begun else ""
        raise pytest.UsageError(f"{file}:{line}: no case includes this line{first}")
    return list(dict.fromkeys(f"{file}::{name}" for begins, name in begun if begins == last))
