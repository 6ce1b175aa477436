"""A real trainer, a real rollout server, and the recorder between them: what is written is valid, passes, finds a defect, and holds no key."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.run_setup import RunOptions, ready
from rollout_conformance.steps.tests.recording.servers import call, recorder, served, until

KEY = "rollout-server-key-42"
SECRET = "sk-abcdefghijklmnop0123"
QUESTION = f"Please calculate 5 plus 3. My password is {SECRET}."
DEFECTS = [("posts_twice", "ROLLOUT-140"), ("tail_only", "ROLLOUT-048")]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The scenarios of one rollout in each dialect that the reference trainer speaks."""
    folder = tmp_path_factory.mktemp("recorded")
    with (
        served("serve", "rollout", ROLLOUT_SERVER_KEY=KEY) as server,
        served("serve", "trainer", "--rollouts", "control", TRAINER_SERVER_KEY=KEY) as trainer,
        recorder(server, folder, "--count", "2") as (url, process),
    ):
        for dialect in ("sync", "callback"):
            start = {"rollout_id": f"five-{dialect}", "dialect": dialect, "server_url": url}
            call(f"{trainer}/rollouts", {**start, "messages": [{"role": "user", "content": QUESTION}]})
            until(partial(has_ended, f"{trainer}/rollouts/five-{dialect}"))
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert f"run {folder} --profile rollout --target {server}" in process.stdout.read()
    return sorted(folder.iterdir())


def has_ended(rollout: str) -> bool:
    return bool(call(rollout)["status"] != "running")


def found(files: list[Path], mutant: str = "") -> tuple[set[str], int]:
    """The requirements that these files find broken, and how many of their cases pass."""
    card = cards.load(PROFILE.reference.card, PROFILE.card)
    described = card.model_copy(update={"env": {**card.env, "ROLLOUT_MUTANT": mutant}} if mutant else {})
    target = "app:rollout_server.mutants:create_app" if mutant else PROFILE.reference.app

    async def play() -> tuple[set[str], int]:
        cases = [case for file in files for case in case_catalog.load(file, PROFILE)]
        async with ready(RunOptions(target=target, described=described)) as run:
            outcomes = await asyncio.gather(*(run.runner.play(case) for case in cases))
        findings = {finding.requirement for one in outcomes for finding in one.judgement.findings}
        return findings, sum(one.judgement.verdict.name == "PASS" for one in outcomes)

    return asyncio.run(play())


def test_each_file_is_named_by_the_counter(recorded: list[Path]) -> None:
    assert [file.name for file in recorded] == ["recorded-001.yaml", "recorded-002.yaml"]


def test_it_passes_against_the_server_that_was_recorded(recorded: list[Path]) -> None:
    assert found(recorded) == (set(), 2)


@pytest.mark.parametrize(("mutant", "requirement"), DEFECTS)
def test_it_finds_a_defect(recorded: list[Path], mutant: str, requirement: str) -> None:
    assert requirement in found(recorded, mutant)[0]


def test_no_key_is_written(recorded: list[Path]) -> None:
    texts = [file.read_text(encoding="utf-8") for file in recorded]
    assert all("***" in text and KEY not in text and SECRET not in text and "Bearer" not in text for text in texts)


def test_what_was_said_is_written(recorded: list[Path]) -> None:
    text = recorded[0].read_text(encoding="utf-8")
    assert "call: {add: {a: 5, b: 3}}" in text
    assert "{tool_results: [8]}" in text
    assert "{completed: stop}" in text
