"""Plays walks one after the other, shrinks the first that breaks something, and writes it down as a scenario."""

import contextlib
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, SuiteError, Verdict
from rollout_conformance.steps.engine.loop_thread import LoopThread
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.exploration.shrink import reduced
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.parts import Document, Explore
from rollout_conformance.steps.run_setup import Run, RunOptions, ready
from rollout_conformance.steps.scenario import loader
from rollout_conformance.steps.scenario.document_text import text_of

PATIENCE_S = 2.0  # a shrinking walk that waits in vain is waited for often
WALKS = 150
ONE_IN = 8  # walks for one that ends with the server: it needs an instance of its own


@dataclass(slots=True)
class Explored:
    """What came of a dialect's walks. `outcome` and `document` are those of the smallest walk that failed, if one did."""

    dialect: str
    profile: str
    walks: int = 0
    moves: int = 0
    seconds: float = 0.0
    outcome: Outcome | None = None
    document: Document | None = None
    flaky: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    skips: Counter[str] = field(default_factory=Counter)

    def record(self, document: Document, outcome: Outcome) -> None:
        """Count a walk that was played, or the reason why it does not apply to this target."""
        self.walks += 1
        if outcome.judgement.verdict is Verdict.SKIP:
            self.skips[outcome.judgement.reason] += 1
        else:
            self.moves += len(document["cases"][0]["steps"])
        self.outcomes.append(outcome)

    @property
    def unjudged(self) -> str | None:
        """Why nothing at all was explored, if so."""
        return next(iter(self.skips)) if self.walks == self.skips.total() > 0 else None


class _Failed(Exception):
    """A walk broke something: what Hypothesis shrinks."""


def explore(run_options: RunOptions, dialect: str, examples: int = WALKS, number: int | None = None) -> Explored:
    """Walk over the table of one dialect. The same walks every time, unless `number` seeds others.

    Raises `SuiteError` when the target cannot be reached or judged.
    """
    with LoopThread() as loop_thread:
        run = loop_thread.enter(ready(replace(run_options, dialect=dialect)))
        run.runner.options = replace(run.runner.options, card=_hasty(run))
        explored, began = Explored(dialect, run.profile.name), time.monotonic()
        for stops in (False, True) if _may_stop(run) else (False,):
            if explored.outcome is None:
                many = max(1, examples // ONE_IN) if stops else examples
                _search(explored, lambda case: loop_thread.call(run.runner.play(case)), run, many, number, stops)
        explored.seconds = time.monotonic() - began
        return explored


def _may_stop(run: Run) -> bool:
    """Whether the suite started the target itself, and the dialect says what is owed when it is stopped."""
    return not run.target.startswith("http") and exploration_of(run).may_stop(run.dialects[0])


def exploration_of(run: Run) -> Explore:
    """Raises `SuiteError` for a profile whose orders of events cannot be explored."""
    if run.profile.explore is None:
        raise SuiteError(unexplorable(run.profile))
    return run.profile.explore()


def unexplorable(profile: Profile) -> str:
    """Why the orders of events of a profile cannot be explored."""
    why = profile.unexplored or "the profile has no `explore`, which generates orders of events (docs/add_a_profile.md)"
    return f"explore --profile {profile.name}: {why}."


def explore_fault_pairs(run_options: RunOptions, dialect: str, number: int = 1) -> Explored:
    """Play every pair of faults. Raises `SuiteError` when the target cannot be reached or judged."""
    with LoopThread() as loop_thread:
        run = loop_thread.enter(ready(replace(run_options, dialect=dialect)))
        run.runner.options = replace(run.runner.options, card=_hasty(run))
        explored, began = Explored(dialect, run.profile.name), time.monotonic()
        for document in exploration_of(run).fault_pairs(dialect, number):
            outcome = loop_thread.call(run.runner.play(compiled(document, run)))
            explored.record(document, outcome)
            if (broken := _broken(outcome, run)) and explored.document is None:
                explored.outcome, explored.document = outcome, _named(document, outcome, broken[0])
        explored.seconds = time.monotonic() - began
        return explored


def _hasty(run: Run) -> Any:
    card = run.runner.options.card
    return card.model_copy(
        update={"patience_s": min(card.patience_s, PATIENCE_S), "settle_s": min(card.settle_s, 0.05)}
    )


def _search(
    explored: Explored,
    play: Callable[[Case], Outcome],
    run: Run,
    examples: int,
    number: int | None,
    stops: bool = False,
) -> None:
    wanted: list[str] = []

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=number is None,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(exploration_of(run).walks(explored.dialect, run.profile.tables[explored.dialect], stops=stops))
    def walk(document: Document) -> None:
        outcome = play(compiled(document, run))
        explored.record(document, outcome)
        broken = _broken(outcome, run)
        if broken and (not wanted or wanted[0] in broken):
            wanted[:] = wanted or [broken[0]]  # shrink towards the same breach, not to any other
            explored.outcome, explored.document = outcome, document
            raise _Failed

    try:
        with contextlib.suppress(_Failed):
            (seed(number)(walk) if number is not None else walk)()
    except Exception as error:
        if type(error).__name__ not in ("Flaky", "FlakyFailure", "FlakyStrategyDefinition"):
            raise
        explored.flaky += 1  # it failed once and then did not: told, and kept as what it is
    if explored.document is not None and explored.outcome is not None:
        _reduce(explored, play, run, wanted[0])
        explored.document = _named(explored.document, explored.outcome, wanted[0])


def _reduce(explored: Explored, play: Callable[[Case], Outcome], run: Run, requirement: str) -> None:
    def fails(document: Document) -> bool:
        try:
            outcome = play(compiled(document, run))
        except SuiteError:
            return False  # a piece was taken away that another one needs
        explored.walks += 1
        if requirement not in _broken(outcome, run):
            return False
        explored.outcome = outcome
        return True

    assert explored.document is not None
    how = exploration_of(run)
    explored.document = how.tidied(reduced(explored.document, fails, how.smaller))


def _broken(outcome: Outcome, run: Run) -> list[str]:
    if outcome.judgement.verdict is Verdict.ERROR:
        raise SuiteError(f"a walk could not be judged: {outcome.judgement.reason}")
    catalogue = run.profile.catalogue
    found = (f for f in outcome.judgement.findings if not f.strict_only)
    return [f.requirement for f in found if catalogue[f.requirement].level == "must"]


def compiled(document: Document, run: Run) -> Case:
    """The case that a walk is."""
    source = yaml_source.parse(text_of(document), "a walk")
    (case,) = loader.compiled(source, run.profile)
    return case


def _named(document: Document, outcome: Outcome, requirement: str) -> dict[str, object]:
    """The same walk, about what it found, under a name of its own."""
    (case,) = document["cases"]
    finding = _finding(outcome, requirement)
    digest = hashlib.sha256(json.dumps(case, sort_keys=True).encode()).hexdigest()[:8]
    said = " ".join(finding.expected.split())[:60] if finding else ""
    return {"cases": [{**case, "name": f"found by exploration {digest}: {said}", "requirements": [requirement]}]}


def _finding(outcome: Outcome, requirement: str) -> Finding | None:
    return next((f for f in outcome.judgement.findings if f.requirement == requirement), None)


def save(explored: Explored, folder: Path) -> Path | None:
    """Write the smallest failing walk into a folder; None when nothing failed."""
    if explored.document is None:
        return None
    (case,) = explored.document["cases"]
    folder.mkdir(parents=True, exist_ok=True)
    digest = case["name"].split()[3].rstrip(":")
    file = folder / f"{case['requirements'][0].lower()}-{explored.dialect}-{digest}.yaml"
    file.write_text(
        f"# yaml-language-server: $schema={explored.profile}.schema.json\n" + text_of(explored.document),
        encoding="utf-8",
    )
    return file
