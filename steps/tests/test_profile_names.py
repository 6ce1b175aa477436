"""Nothing outside of `steps/profiles/` knows the name of a profile, and the engine knows no protocol. The harness starts targets of one profile."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import OURS, Profiles

STEPS = ROOT / "steps"
MODULES = [
    file
    for file in sorted(STEPS.rglob("*.py"))
    if not {"tests", "profiles", "peers", "harness"} & set(file.relative_to(STEPS).parts)
]
ENGINE = [file for file in MODULES if file.is_relative_to(STEPS / "engine")]
OF_A_PROFILE = re.compile(rf"steps\.profiles\.(?:{'|'.join(OURS)})\b")
# What is left of one protocol: the name of the member of the trace that says what part of a case it is of.
LEFT = {"trace.py", "report_trace.py", "session.py", "shared_causes.py"}


def names(tree: ast.AST) -> Iterator[str]:
    """The strings of a module that are the name of a profile, and its imports of one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value in OURS or OF_A_PROFILE.search(node.value):
                yield node.value
        elif isinstance(node, ast.ImportFrom) and OF_A_PROFILE.search(f"{node.module}."):
            yield f"from {node.module}"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.relative_to(STEPS).as_posix())
def test_a_module_names_no_profile(file: Path) -> None:
    assert list(names(ast.parse(file.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("file", ENGINE, ids=lambda file: file.name)
def test_the_engine_speaks_of_no_trainer_and_no_rollout(file: Path) -> None:
    text = re.sub(r"rollout[_-](?:conformance|server)", "", file.read_text(encoding="utf-8"))
    found = re.findall(r"\b\w*(?:trainer|rollout)\w*", text, re.IGNORECASE)
    assert found == [] or file.name in LEFT


def test_a_name_that_is_written_somewhere_is_found() -> None:
    tree = ast.parse('from rollout_conformance.steps.profiles.chat.view import A\nx = {"router": 1}\n')
    assert list(names(tree)) == ["from rollout_conformance.steps.profiles.chat.view", "router"]


def test_a_working_profile_is_asked_for_without_the_import_of_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"broken": "no_such_module:PROFILE"}
    profiles = Profiles({"rollout": OURS["rollout"], "router": "no_such_module:PROFILE"})
    monkeypatch.setattr(profiles, "_points", ({**profiles.places, **broken}, ()))
    assert profiles.get_working("rollout") is not None
    assert profiles.get_working("broken") is None
    assert profiles.get_working("unheard_of") is None
