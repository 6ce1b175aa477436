"""Completion as a shell asks for it: options, values, and what it costs."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.completion import values
from rollout_conformance.steps.completion.options_table import FILE
from rollout_conformance.steps.profiles import PROFILES

PROGRAM = [sys.executable, "-c", "from rollout_conformance.steps.entry import main; main()"]
VARIABLE = "_ROLLOUT_CONFORMANCE_COMPLETE"
TABLE = json.loads(FILE.read_text(encoding="utf-8"))
CPU_S = 0.3


def completed(line: str, shell: str = "zsh") -> list[str]:
    """What completes the last word of a line; an empty one where the line ends with a space."""
    words = line.split(" ")
    env = {"COMP_WORDS": f"rollout-conformance {line}", "COMP_CWORD": str(len(words)), VARIABLE: f"{shell}_complete"}
    done = subprocess.run(PROGRAM, env=os.environ | env, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    lines = done.stdout.splitlines()
    return lines[1::3] if shell == "zsh" else [one.partition(",")[2] for one in lines]


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("rec", {"record"}),
        ("run --dry", {"--dry-run"}),
        ("run --profile ", {"rollout", "trainer", "chat", "router", "training", "worker"}),
        ("record --profile ch", {"chat"}),
        ("run --profile worker --dialect ", {"orcd", "vllm-generate", "sglang"}),
        ("run --dialect ", {"sync", "callback"}),
        ("run --level ", {"must", "should", "may"}),
        ("run --backend ", {"scripted", "both"}),
        ("run --case rollout-04", {"ROLLOUT-049"}),
        ("run --case features/rollout/hist", {"features/rollout/history.feature"}),
        ("run --case five", {"Five plus three"}),
        ("explain chat-05", {"CHAT-050"}),
        ("new case x.yaml --about ROUTER-05", {"ROUTER-050"}),
        ("mutants --only resp", {"respaced"}),
        ("mutants --profile chat --only stream_no", {"stream_no_done"}),
        ("serve t", {"trainer", "training"}),
        ("new pro", {"profile"}),
    ],
)
def test_a_value_is_completed(line: str, some: set[str]) -> None:
    found = completed(line)
    assert some <= set(found)
    assert all(one.casefold().startswith(line.split(" ")[-1].casefold()) for one in found)


def test_the_cases_of_the_files_that_are_named_are_completed(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text('cases:\n- name: "mine: one"\n  requirements: []\n- name: mine two\n', encoding="utf-8")
    assert {"mine two"} < set(completed(f"run {file} --case mine"))


def test_bash_is_given_no_value_that_it_would_split() -> None:
    found = completed("run --case ", "bash")
    assert found
    assert not [one for one in found if " " in one]


@pytest.mark.skipif(not os.path.exists("/bin/bash"), reason="this machine has no bash")
def test_bash_completes_a_line(tmp_path: Path) -> None:
    program = tmp_path / "rollout-conformance"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{PROGRAM[2]}' \"$@\"\n", encoding="utf-8")
    program.chmod(0o755)
    script = (
        f'eval "$({VARIABLE}=bash_source rollout-conformance)"\n'
        "COMP_WORDS=(rollout-conformance run --profile tr) COMP_CWORD=3\n"
        '_rollout_conformance_completion rollout-conformance\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["/bin/bash", "-c", script], env=env, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert done.stdout.split() == ["trainer", "training"]


def test_it_costs_less_than_a_third_of_a_second() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    completed("run --profile rollout --case five")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < CPU_S


@pytest.mark.parametrize("profile", PROFILES)
def test_names_that_are_read_from_files_are_those_of_the_cases(profile: str) -> None:
    read = {name for name, _ in values.cases(profile, ()) if "<" not in name}
    played = {
        case.name.partition("[")[0] for case in case_catalog.every(profile)
    }  # a row of examples has its values in brackets
    assert read
    assert {name.replace("\\", "").replace("''", "'") for name in read} - played == set()


@pytest.mark.parametrize("profile", PROFILES)
def test_requirements_that_are_read_from_files_are_those_of_the_catalogue(profile: str) -> None:
    assert set(values.requirements(profile)) == set(PROFILES[profile].catalogue)
