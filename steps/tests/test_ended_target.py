"""A target whose process ends in the middle of a run: the case that ends it is found, and the others are judged at another instance."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine import targets
from rollout_conformance.steps.engine.instances import MOST_ENDS, Instances
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.targets import Target
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.tests import virtual_time

SERVER = ROOT / "rollout_server" / "tests" / "poisoned.py"
CASES = [
    "logit_bias of -100",
    "a seed that OpenAI allows",
    "temperature 0 is deterministic",
    "stop strings that OpenAI",
]


@pytest.mark.parametrize("jobs", [1, 16])
def test_only_the_case_that_ends_the_process_fails(jobs: int, tmp_path: Path) -> None:
    report = tmp_path / "run.ndjson"
    chosen = [word for case in CASES for word in ("--case", case)]
    target = ["--target", f"cmd:{sys.executable} {SERVER} {{port}}", "-j", str(jobs), "--report", str(report)]
    result = CliRunner().invoke(cli, ["run", "--profile", "chat", *chosen, *target])
    lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    verdicts = {line["case"]: line["verdict"] for line in lines if line["type"] == "result"}
    assert [case for case, verdict in verdicts.items() if verdict == "fail"] == [
        "scenarios/chat/sampling.yaml::a token with a logit_bias of -100 is not sampled[openai]"
    ], result.output
    assert {*verdicts.values()} == {"fail", "pass"}
    shown = " ".join(result.stdout.split())
    assert "Its process ended with code 7; the last line that it wrote: IndexError: list index out of range" in shown
    assert "sk-abcdef" not in result.stdout


class Ended:
    """A process that has ended by itself."""

    returncode = 7

    async def wait(self) -> None: ...


def made(monkeypatch: pytest.MonkeyPatch) -> Instances:
    async def launched(self: Instances, stack: contextlib.AsyncExitStack, variant: str) -> Target:
        process: Any = Ended()
        return Target("http://target", process)

    async def nothing(*_: object) -> bool:
        return True

    monkeypatch.setattr(Instances, "_launched", launched)
    served: Any = nothing
    return Instances("cmd:server {port}", Card(), 8, lambda case: False, nothing, served)


def test_an_instance_is_replaced_once_for_all_cases_that_were_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        found = made(monkeypatch)
        first = await found.shared()
        assert await asyncio.gather(*(found.replaced("", first) for _ in range(5))) == [True] * 5
        assert await found.shared() is not first
        assert found.ends[""] == 1

    virtual_time.run(play())


def test_one_that_ends_again_and_again_is_replaced_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> list[bool]:
        found = made(monkeypatch)
        return [await found.replaced("", await found.shared()) for _ in range(MOST_ENDS + 1)]

    assert virtual_time.run(play()) == [True] * MOST_ENDS + [False]


@pytest.mark.parametrize("members", [{"process": None}, {"process": Ended(), "stopped": True}])
def test_one_that_runs_or_was_stopped_by_the_suite_is_not_replaced(
    members: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> bool:
        return await made(monkeypatch).replaced("", Target("http://target", **members))

    assert virtual_time.run(play()) is False


def test_one_that_had_ended_before_the_suite_stopped_it_has_ended_by_itself() -> None:
    async def play() -> bool:
        process: Any = SimpleNamespace(returncode=7, signal=lambda number: None, wait=Ended().wait, kill=Ended().wait)
        target = Target("http://target", process)
        await target.stop()
        return await targets.has_ended(target)

    assert virtual_time.run(play())
