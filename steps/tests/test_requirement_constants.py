"""A requirement that the modules of a profile speak of by a name has one name: two that are set apart drift apart."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import PROFILES

FOLDERS = {name: ROOT / "steps" / "profiles" / name for name in PROFILES}
CHOSEN = "recording"  # modules that choose what a recorded case is about, which is no requirement that they judge


def named(module: Path) -> Iterator[str]:
    """The requirements that a module gives a name at its top level."""
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.Assign):
            values = (
                node.value.elts
                if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)
                else [node.value]
            )
            yield from (one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_requirement_is_named_in_one_module(profile: str) -> None:
    folder, modules = FOLDERS[profile], defaultdict(set)
    for module in folder.rglob("*.py"):
        if "tests" not in module.parts and CHOSEN not in module.relative_to(folder).as_posix():
            for value in named(module):
                modules[value].add(module.relative_to(folder).as_posix())
    assert {id: found for id, found in modules.items() if id in PROFILES[profile].catalogue and len(found) > 1} == {}
