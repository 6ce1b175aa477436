"""The action, the hook, the image and the compose file: what they run exists, and the script of the action does what it says."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml

from rollout_conformance.steps.cli import COMMANDS, cli
from rollout_conformance.steps.paths import ROOT

ACTION = ROOT / ".github" / "actions" / "conformance" / "action.yml"
COMPOSE = ROOT / "docs" / "examples" / "compose.yaml"


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def options_of(command: str) -> set[str]:
    found = cli.get_command(cli.make_context("x", ["--help"], resilient_parsing=True), command)
    assert found is not None
    return {option for one in found.params for option in (*one.opts, *one.secondary_opts)}


def serve_group() -> click.Group:
    found = cli.get_command(cli.make_context("x", ["--help"], resilient_parsing=True), "serve")
    assert isinstance(found, click.Group)
    return found


def judged(tmp_path: Path, code: int, **inputs: str) -> tuple[int, str, list[list[str]]]:
    """The exit code, the outputs and the commands of the action, with a suite in place that only notes how it was called."""
    calls = tmp_path / "calls"
    stub = tmp_path / "bin" / "rollout-conformance"
    stub.parent.mkdir()
    stub.write_text(
        f'#!{sys.executable}\nimport pathlib, shlex, sys\nwith open({str(calls)!r}, "a") as f: f.write(shlex.join(sys.argv[1:]) + "\\n")\n'
        f'if sys.argv[1] == "run": pathlib.Path(sys.argv[sys.argv.index("--report") + 1]).touch()\nsys.exit({code})\n'
    )
    stub.chmod(0o755)
    action = read(ACTION)
    given = {name: one.get("default", "") for name, one in action["inputs"].items()} | inputs
    step = next(one for one in action["runs"]["steps"] if one.get("id") == "run")
    values = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: given[m[1]], text) for name, text in step["env"].items()
    }
    environment = {**values, "GITHUB_OUTPUT": str(tmp_path / "output"), "PATH": f"{stub.parent}:{os.environ['PATH']}"}
    bash = [shutil.which("bash") or "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(bash, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert done.stderr == ""
    return (
        done.returncode,
        (tmp_path / "output").read_text(),
        [shlex.split(line) for line in calls.read_text().splitlines()],
    )


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_action_judges_draws_and_fails_with_the_code_of_the_run(tmp_path: Path, code: int) -> None:
    ended, output, calls = judged(
        tmp_path, code, target="http://h:1; touch hacked", card="a b.yaml", options="--wait\n30\n"
    )
    assert (ended, output) == (code, f"exit-code={code}\n")
    run, report = calls
    assert run[:5] == ["run", "--profile", "rollout", "--target", "http://h:1; touch hacked"]
    assert run[-4:] == ["--card", "a b.yaml", "--wait", "30"]
    assert report[0] == "report"
    assert not (tmp_path / "hacked").exists()
    assert {word for word in run if word.startswith("--")} <= options_of("run")


def test_the_action_leaves_the_python_of_the_job_alone(tmp_path: Path) -> None:
    """A target `cmd:python server.py`, and `pytest` in a later step, run in the environment of the project: of ours only the command is found."""
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\nmkdir -p "$3/bin" && for name in python pip pytest rollout-conformance; do\n'
        'printf "#!/bin/sh\\n" > "$3/bin/$name"; chmod +x "$3/bin/$name"; done\n'
    )
    python.chmod(0o755)
    steps = read(ACTION)["runs"]["steps"]
    setup = next(one for one in steps if "setup-python" in one.get("uses", ""))
    assert setup["with"]["update-environment"] is False
    step = next(one for one in steps if "SUITE" in one.get("env", {}))
    assert step["env"]["PYTHON"] == f"${{{{ steps.{setup['id']}.outputs.python-path }}}}"
    given = {"RUNNER_TEMP": str(tmp_path), "GITHUB_PATH": str(tmp_path / "path"), "SUITE": "/s", "PYTHON": str(python)}
    bash = [shutil.which("bash") or "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    subprocess.run(bash, env={**given, "PATH": os.environ["PATH"]}, check=True, timeout=60)  # noqa: S603
    (added,) = (tmp_path / "path").read_text().splitlines()
    assert os.listdir(added) == ["rollout-conformance"]
    assert os.access(Path(added) / "rollout-conformance", os.X_OK)


def test_no_input_of_the_action_is_pasted_into_a_script() -> None:
    assert all("${{" not in step.get("run", "") for step in read(ACTION)["runs"]["steps"])


def test_the_hook_checks_the_shipped_cases() -> None:
    (hook,) = read(ROOT / ".pre-commit-hooks.yaml")
    program, command, *options = hook["entry"].split()
    assert program == "rollout-conformance"
    assert command in COMMANDS
    assert set(options) <= options_of(command)
    shipped = [*(ROOT / "features").rglob("*.feature"), *(ROOT / "scenarios" / "rollout").rglob("*.yaml")]
    unseen = [file for file in shipped if not re.search(hook["files"], file.relative_to(ROOT).as_posix())]
    assert unseen == []


def test_compose_uses_commands_options_and_services_that_exist() -> None:
    services, serve = read(COMPOSE)["services"], serve_group()
    for service in services.values():
        command, *words = service["command"]
        names = {word for word in words if word.startswith("--")}
        assert command in COMMANDS
        if command == "serve":
            served = serve.get_command(serve.make_context("serve", ["--help"], resilient_parsing=True), words[0])
            assert served is not None
            served.make_context(words[0], words[1:])  # every option and value is taken
        else:
            assert names <= options_of(command)
        assert set(service.get("depends_on", ())) <= set(services)
        assert "ports" not in service  # what is served for everybody in the network of the file stays in it
        assert (COMPOSE.parent / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_each_judge_of_the_compose_file_names_its_target_and_itself() -> None:
    """The target is a service at the port that it serves, which the judge waits for, and the judge listens where the target finds it."""
    services = read(COMPOSE)["services"]
    judges = {name: one for name, one in services.items() if one["command"][0] == "run"}
    assert len(judges) == 2
    for name, judge in judges.items():
        given = dict(zip(judge["command"][1::2], judge["command"][2::2], strict=True))
        target = urlsplit(given["--target"])
        assert target.hostname in judge["depends_on"]
        assert str(target.port) in services[str(target.hostname)]["command"]
        assert float(given["--wait"]) > 0
        assert given["--listen"].partition(":")[0] == name == judge["hostname"]


@pytest.mark.parametrize("page", ["docs/ci.md", "docs/examples/compose.yaml"])
def test_the_exit_code_of_compose_is_that_of_the_judge(page: str) -> None:
    """`up --exit-code-from` implies that the first container which exits ends all, so that one judge would hide the other."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [line.lstrip("# ") for line in text.splitlines() if line.lstrip("# ").startswith("docker compose")]
    assert all(line.startswith("docker compose -f docs/examples/compose.yaml ") for line in lines)
    judged = {line.split()[-1] for line in lines if " run --rm --use-aliases " in line}
    assert judged == {name for name in read(COMPOSE)["services"] if name.startswith("judge-")}
    assert not any(" up " in line for line in lines)


def test_the_image_leaves_out_what_is_no_part_of_the_suite() -> None:
    ignored = (ROOT / "docs" / "examples" / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".venv", ".vllm", "**/__pycache__"} <= set(ignored)
    needed = [
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        ".src",
        "contracts",
        "features",
        "scenarios",
        "steps",
        "rollout_server",
    ]
    assert all((ROOT / one).exists() for one in needed)
    assert not {*needed} & {*ignored}


def test_the_image_begins_with_what_is_installed() -> None:
    text = (ROOT / "docs" / "examples" / "Dockerfile").read_text(encoding="utf-8")
    assert 'ENTRYPOINT ["rollout-conformance"]' in text
    assert "USER judge" in text
    copied = re.findall(r"^COPY (\S+)", text, re.MULTILINE)
    assert all((ROOT / one).exists() for one in copied)
