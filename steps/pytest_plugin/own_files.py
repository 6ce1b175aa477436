"""Which files pytest leaves to the suite: those that it ships, features and scenario files that name its requirements, and files that the
user names.

A feature without such a tag belongs to pytest-bdd or to whatever else the project uses, and so does YAML without such cases.
"""

from pathlib import Path

import pytest

from rollout_conformance.steps.case_files import ENDINGS, SCENARIOS, is_case_file, names_requirement
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.pytest_plugin import options

FEATURE, SCENARIO, CONTRACT = "feature", "scenario", "contract"


def file_and_line(arg: str) -> tuple[str, int] | None:
    """The parts of `x.yaml:6`, the address of a case as findings print it; None for any other argument."""
    file, _, line = arg.rpartition(":")
    is_address = file.endswith(ENDINGS) and line.isascii() and line.isdecimal()
    return (file, int(line)) if is_address else None


def kind(file: Path, config: pytest.Config) -> str | None:
    """What a file is to the suite; None for one that is not its own."""
    if file.suffix == ".feature":
        return FEATURE if _is_feature(file, config) else None
    if file.suffix not in (*SCENARIOS, ".json"):
        return None
    if _is_contract(file, config):
        return CONTRACT
    return SCENARIO if file.suffix in SCENARIOS and _is_scenario(file, config) else None


def is_named(file: Path, config: pytest.Config) -> bool:
    """Whether the user named a file on the command line, in any folder."""
    named = (config.invocation_params.dir / _file_in(arg) for arg in config.args)
    return any(name.resolve() == file.resolve() for name in named)


def _file_in(arg: str) -> str:
    """The file of an argument of pytest: without a line or the name of an item."""
    address = file_and_line(arg)
    return address[0] if address else arg.partition("::")[0]


def is_shipped(file: Path) -> bool:
    """Whether a file is a case of the suite itself."""
    return any(file.is_relative_to(ROOT / folder / name) for folder in ("features", "scenarios") for name in PROFILES)


def _is_feature(file: Path, config: pytest.Config) -> bool:
    if is_shipped(file) or is_case_file(file):
        return True
    return options.of(config).profile is not None and is_named(file, config)


def _is_scenario(file: Path, config: pytest.Config) -> bool:
    if is_shipped(file) or names_requirement(file):
        return True
    if not is_named(file, config):
        return False
    return options.of(config).profile is not None or is_case_file(file)


def _is_contract(file: Path, config: pytest.Config) -> bool:
    named = options.of(config).contract
    if named is not None and file == named.resolve():
        return True
    shipped = file.is_relative_to(ROOT / "contracts")
    return file.name.startswith("openapi") and (shipped or is_named(file, config))
