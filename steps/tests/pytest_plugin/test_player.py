"""The player of a session: all cases are played when the first verdict is needed, and each item gets its own."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.early_end import ENDING, Reason
from rollout_conformance.steps.engine.findings import Finding, Judgement, Location, SuiteError, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.pytest_plugin import options, player
from rollout_conformance.steps.pytest_plugin.player import Player
from rollout_conformance.steps.run_setup import RunOptions

ABOUT = "ROLLOUT-094"


@dataclass
class Item:
    nodeid: str
    case: Case


def item(name: str, dialect: str = "sync", profile: str = "rollout") -> Item:
    return Item(name, Case(name, profile, dialect, (ABOUT,), (), Location(f"{profile}.yaml", 1)))


class FakeRun:
    """A run whose cases pass, and which keeps what it played."""

    engine, unjudged, dialects = None, ("callback",), ("sync",)
    greetings = (SimpleNamespace(dialect="callback", result=SimpleNamespace(obstacle="it responds with 401")),)

    def __init__(self, played: list[str]) -> None:
        self.played, self.runner = played, self

    def ordered(self, cases: Iterator[Case]) -> list[Case]:
        return sorted(cases, key=lambda case: case.name, reverse=True)

    def applicable(self, cases: list[Case]) -> list[Case]:
        return cases

    async def play(self, case: Case) -> Outcome:
        self.played.append(case.name)
        return Outcome(case, Judgement(Verdict.PASS, {ABOUT: Verdict.PASS}), None, 0.0, "")


@pytest.fixture
def config() -> Any:
    return SimpleNamespace(option=SimpleNamespace(), stash=pytest.Stash())


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, config: Any) -> Iterator[Callable[..., Player]]:
    """Makes a player whose runs are fake ones; `opened` are the profiles whose target was started."""
    players: list[Player] = []

    def made(opened: list[str], played: list[str], error: SuiteError | None = None) -> Player:
        @contextlib.asynccontextmanager
        async def ready(run_options: RunOptions) -> AsyncIterator[Any]:
            opened.append(run_options.profile)
            if error is not None:
                raise error
            yield FakeRun(played)
            opened.remove(run_options.profile)

        monkeypatch.setattr(player, "ready", ready)
        players.append(Player(config))
        return players[-1]

    yield made
    for one in players:
        one.close(interrupted=False)


def test_every_case_is_played_at_the_first_verdict_and_each_item_gets_its_own(play: Callable[..., Player]) -> None:
    played: list[str] = []
    items = [item("a"), item("b"), item("c")]
    one = play([], played)
    assert one.verdict(items[0], items).case.name == "a"
    assert played == ["c", "b", "a"]  # in the order of the run
    assert [one.verdict(other, items).case.name for other in items[1:]] == ["b", "c"]
    assert len(played) == 3


def test_each_profile_has_a_run_of_its_own_which_is_closed_at_the_end(play: Callable[..., Player]) -> None:
    opened: list[str] = []
    items = [item("a"), item("b", profile="chat")]
    one = play(opened, [])
    one.verdict(items[0], items)
    assert opened == ["rollout", "chat"]
    one.close(interrupted=False)
    assert opened == []


def test_a_case_in_a_dialect_that_the_target_lacks_is_skipped_and_in_one_that_was_named_an_error(
    play: Callable[..., Player],
) -> None:
    items = [item("a", "routed"), item("b", "callback")]
    one = play([], [])
    first, second = (one.verdict(each, items).judgement for each in items)
    assert (first.verdict, first.reason) == (Verdict.SKIP, "the target has no dialect routed")
    assert (second.verdict, second.reason) == (Verdict.ERROR, "it responds with 401")


def test_a_target_that_cannot_be_judged_is_an_error_of_the_suite(play: Callable[..., Player]) -> None:
    items = [item("a")]
    with pytest.raises(SuiteError, match="nothing listens"):
        play([], [], SuiteError("nothing listens at http://x")).verdict(items[0], items)


def test_what_was_played_before_an_early_end_is_kept(
    play: Callable[..., Player], monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [item("a"), item("b")]
    one = play([], [])
    one.verdict(items[0], items)
    monkeypatch.setattr(ENDING, "reason", Reason("SIGTERM", 143))
    one.close(interrupted=True)
    assert [outcome.case.name for outcome in one.unreported] == ["b"]
    assert sorted(outcome.case.name for outcome in one.outcomes) == ["a", "b"]
    monkeypatch.undo()


def test_an_outcome_that_the_baseline_excuses_fails_no_session(config: Any, tmp_path: Any) -> None:
    file = tmp_path / "known.yaml"
    file.write_text(f"- case: a\n  requirement: {ABOUT}\n  reason: a known defect\n", encoding="utf-8")
    setattr(config.option, f"{options.DEST}baseline", file)
    broken = Judgement(Verdict.FAIL, {ABOUT: Verdict.FAIL}, (Finding(ABOUT, "202", "500"),))
    one = Player(config)
    for name, failed in (("a", False), ("b", True)):
        one.outcomes.append(Outcome(item(name).case, broken, None, 0.0, ""))
        assert one.failed is failed
