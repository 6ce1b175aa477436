"""The smoke check: what it prints of a target, and when it calls it sane."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from rollout_conformance.steps import smoke_check
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, SuiteError, Verdict
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.run_setup import RunOptions

PROFILE = profile_of("rollout")
CASE = Case("plain", "rollout", "sync", ("ROLLOUT-112",), (), Location("greeting", 1))
GOOD = Judgement(Verdict.PASS, {"ROLLOUT-112": Verdict.PASS})


def broken(requirement: str) -> Judgement:
    return Judgement(
        Verdict.FAIL, {requirement: Verdict.FAIL}, (Finding(requirement, "COMPLETED", "ERROR\n" + "x" * 500),)
    )


def checked(monkeypatch: pytest.MonkeyPatch, judgement: Judgement | SuiteError, **run: Any) -> tuple[int, list[str]]:
    """The exit code and the lines for a target whose greeting is judged so."""

    def judge(case: Case, session: Any) -> Judgement:
        if isinstance(judgement, SuiteError):
            raise judgement
        return judgement

    greeting = SimpleNamespace(dialect="sync", case=CASE, session=None, seconds=0.5)
    target = SimpleNamespace(
        target="http://target",
        dialects=("sync",),
        remarks=(),
        unjudged=(),
        greetings=(greeting,),
        profile=replace(PROFILE, smoke=lambda context: [("tools", str(context))]),
        peers=SimpleNamespace(context=lambda case: "add"),
        runner=SimpleNamespace(judgement=judge),
    )
    vars(target).update(run)

    @contextlib.asynccontextmanager
    async def ready(options: RunOptions) -> AsyncIterator[Any]:
        yield target

    monkeypatch.setattr(smoke_check, "ready", ready)
    lines: list[str] = []
    return asyncio.run(smoke_check.smoke(RunOptions(), lines.append)), lines


def test_a_target_that_completes_the_simplest_case_is_sane(monkeypatch: pytest.MonkeyPatch) -> None:
    code, lines = checked(monkeypatch, GOOD, remarks=("dialect sync: it is slow",))
    assert code == 0
    assert lines[:5] == [
        "reachable   http://target",
        "dialects    sync",
        "note        dialect sync: it is slow",
        "tools       sync: add",
        "greeting    sync: ended well in 0.50 s",
    ]
    assert "The target is sane" in lines[-1]


@pytest.mark.parametrize(("requirement", "code"), [("ROLLOUT-112", 2), (PROFILE.ends_by_itself, 2), ("ROLLOUT-094", 0)])
def test_only_a_case_that_did_not_complete_makes_it_insane(
    monkeypatch: pytest.MonkeyPatch, requirement: str, code: int
) -> None:
    """Any other finding is shown, and left to the run."""
    found, lines = checked(monkeypatch, broken(requirement))
    assert found == code
    (line,) = (line for line in lines if requirement in line)
    assert line.strip().startswith(f"{requirement} ")
    assert "expected COMPLETED; observed ERROR xxx" in line
    assert len(line) < 300


def test_a_case_that_cannot_be_judged_is_not_sane(monkeypatch: pytest.MonkeyPatch) -> None:
    code, lines = checked(monkeypatch, SuiteError("the key was rejected"))
    assert code == 2
    assert "greeting    sync: could not be judged (the key was rejected) in 0.50 s" in lines


def test_a_dialect_that_was_named_and_cannot_be_judged_is_not_sane(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked(monkeypatch, GOOD, unjudged=("callback",))[0] == 2


def test_a_target_that_cannot_be_reached_is_an_error() -> None:
    with pytest.raises(SuiteError, match=r"http://127\.0\.0\.1:1"):
        asyncio.run(smoke_check.smoke(RunOptions(target="http://127.0.0.1:1"), lambda line: None))
