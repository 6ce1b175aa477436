"""How the cases of a run are played: to the first failure, several times, after a target has come up, with what crosses the wire shown."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from rollout_conformance.steps.baseline import Baseline, Entry
from rollout_conformance.steps.commands import exchange_log
from rollout_conformance.steps.commands.play_options import PlayOptions
from rollout_conformance.steps.commands.playing import FirstFailure, play_all
from rollout_conformance.steps.engine import starting, targets
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.run_summary import slowest, summary, totals
from rollout_conformance.steps.engine.starting import NotUsable
from rollout_conformance.steps.engine.trace import Exchange, Request, Response
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.run_setup import Run, RunOptions

ABOUT = "ROLLOUT-094"
CASES = [Case(name, "rollout", "sync", (ABOUT,), (), Location("x.yaml", 7)) for name in "abc"]


def outcome(case: Case, verdict: Verdict, seconds: float = 0.1) -> Outcome:
    found = (Finding(ABOUT, "202", "500"),) if verdict is Verdict.FAIL else ()
    return Outcome(case, Judgement(verdict, {ABOUT: verdict}, found), None, seconds, "")


def played(verdicts: Sequence[Verdict], known: Baseline, how: PlayOptions) -> list[Outcome]:
    """What is reported of three cases that are played one after the other and end so."""
    ends, done, turn = iter(verdicts), list[Outcome](), asyncio.Lock()

    async def play(case: Case) -> Outcome:
        async with turn:
            for _ in range(9):  # so that whoever ends the run comes first
                await asyncio.sleep(0)
            return outcome(case, next(ends))

    runner = SimpleNamespace(play=play, in_flight=list, options=SimpleNamespace(live=False))
    run = cast("Run", SimpleNamespace(runner=runner, options=RunOptions(), ordered=lambda cases: cases))
    try:
        asyncio.run(play_all(run, CASES, done.append, known, how))
    except FirstFailure:
        done.append(done[-1])
    return done


FAILS_SECOND = (Verdict.PASS, Verdict.FAIL, Verdict.PASS)


def test_a_run_that_ends_at_the_first_failure_says_so() -> None:
    names = [one.case.name for one in played(FAILS_SECOND, Baseline(), PlayOptions(fail_fast=True))]
    assert names[-1] == names[-2] == "b"
    assert [one.case.name for one in played(FAILS_SECOND, Baseline(), PlayOptions())] == ["a", "b", "c"]


def test_a_known_failure_ends_no_run() -> None:
    known = Baseline([Entry(requirement=ABOUT, reason="old agent")])
    assert len(played(FAILS_SECOND, known, PlayOptions(fail_fast=True))) == 3


def test_a_case_that_differs_from_play_to_play_is_listed() -> None:
    plays = [outcome(CASES[0], one) for one in FAILS_SECOND] + [outcome(CASES[1], Verdict.PASS)] * 3
    assert totals(plays) == "6 plays of 2 cases: 5 pass, 1 fail"
    text = summary(plays, profile_of("rollout").catalogue)
    assert '  differs from play to play: x.yaml:7 "a" [sync]: 2 pass, 1 fail' in text
    assert '"b"' not in text


def test_the_slowest_cases_are_listed_first_the_slowest() -> None:
    some = [outcome(case, Verdict.PASS, seconds) for case, seconds in zip(CASES, (0.5, 12.25, 3), strict=True)]
    assert slowest(some, 2) == [
        "Slowest:",
        '    12.25 s  x.yaml:7  "b" [sync]',
        '     3.00 s  x.yaml:7  "c" [sync]',
        "",
    ]
    assert slowest(some, 0) == []


@pytest.mark.parametrize(
    ("answers", "wait_s", "looks"),
    [
        ([NotUsable("down"), 503, 200], 60.0, 3),
        ([NotUsable("down"), 404], 60.0, 2),  # has no health endpoint
        ([200], 60.0, 1),
        ([503], 0.0, 1),  # is asked once, as always, and judged by what follows
    ],
)
def test_a_target_that_is_starting_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, answers: list[int | NotUsable], wait_s: float, looks: int
) -> None:
    seen: list[str] = []

    async def reachable(base_url: str, headers: object, path: str) -> int:
        seen.append(path)
        if isinstance(answer := answers[len(seen) - 1], NotUsable):
            raise answer
        return answer

    monkeypatch.setattr(targets, "reachable", reachable)
    monkeypatch.setattr(starting, "LOOK_AGAIN_S", 0.0)
    asyncio.run(targets.within(wait_s, "http://h"))
    assert len(seen) == looks


@pytest.mark.parametrize(
    ("wait_s", "message"), [(0.0, f"down. {starting.SUGGESTION}"), (0.001, "down. It was waited for 0.001 s (--wait).")]
)
def test_a_target_that_does_not_come_up_is_refused(
    monkeypatch: pytest.MonkeyPatch, wait_s: float, message: str
) -> None:
    async def reachable(base_url: str, headers: object, path: str) -> int:
        raise NotUsable("down")

    monkeypatch.setattr(targets, "reachable", reachable)
    with pytest.raises(NotUsable) as error:
        asyncio.run(targets.within(wait_s, "http://h"))
    assert str(error.value) == message


def test_an_exchange_is_shown_with_its_bodies_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Request("POST", "/rollout", (), b'{"callback_api_key": "tk-1", "text": "' + b"x" * 900 + b'"}')
    exchange = Exchange(3, True, "r", asked, 0.25, Response(200, (), b"{\n}"), None, 0.5)
    exchange_log.show(CASES[0], exchange, bodies=True)
    head, sent, got = capsys.readouterr().err.splitlines()
    assert head == "+0.250 s  a [sync]  #3 -> POST /rollout => 200  (0.250 s)"
    assert sent.startswith("    curl -sS -i -X POST http://target.invalid/rollout --data-binary '{")
    assert '{"callback_api_key": "***", "text": "xxx' in sent
    assert """x"}'  # target.invalid: put the address of your server here""" in sent
    assert got == "    got  { }"
    exchange_log.show(CASES[0], exchange, bodies=False)
    assert capsys.readouterr().err.splitlines() == [head]


def test_a_body_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    asked = Request("POST", "/v1/chat/completions", (), b'{"text": "' + b"y" * 4000 + b'"}')
    exchange = Exchange(3, False, "r", asked, 0.25, Response(200, (), b'{"text": "' + b"z" * 4000 + b'"}'), None, 0.5)
    exchange_log.show(CASES[0], exchange, bodies=True)
    shown = capsys.readouterr().err
    assert "y" * 4000 in shown
    assert "z" * 4000 in shown
