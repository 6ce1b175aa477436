"""Runs of the reference trainer with a card of its own, for tests."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.profiles.trainer.card import TrainerCard
from rollout_conformance.steps.profiles.trainer.profile import PROFILE
from rollout_conformance.steps.run_setup import RunOptions, ready

MUTANTS = "app:rollout_server.mutants.trainer:create_app"
ALL = ("record", "tool_calls", "timeout", "key")
NEEDS = {"control": ALL, "open": ("record",), "started": ("record", "tool_calls", "key")}
Wanted = Callable[[Case], bool]


def card(rollouts: str = "control", env: Mapping[str, str] | None = None, **members: object) -> TrainerCard:
    """The card of a reference trainer whose rollouts begin so; `env` configures it further."""
    where = {"TRAINER_ROLLOUTS": rollouts, "TRAINER_ROLLOUT_SERVER": "{rollout_server}", "TRAINER_DIALECTS": '["sync"]'}
    standard = {"dialects": ["sync"], "patience_s": 5.0, "settle_s": 0.1, "capabilities": list(NEEDS[rollouts])}
    return TrainerCard.model_validate({**standard, "rollouts": rollouts, "env": {**where, **(env or {})}, **members})


def played(described: TrainerCard, wanted: Wanted, mutant: str = "") -> list[Outcome]:
    """The outcomes of these cases against the reference trainer, or one of its mutants."""
    env = {**described.env, **({"TRAINER_MUTANT": mutant} if mutant else {})}
    target = MUTANTS if mutant else PROFILE.reference.app
    return asyncio.run(
        _played(
            RunOptions(target=target, described=described.model_copy(update={"env": env}), profile="trainer"), wanted
        )
    )


async def _played(options: RunOptions, wanted: Wanted) -> list[Outcome]:
    async with ready(options) as run:
        cases = [case for case in run.applicable(case_catalog.every("trainer")) if wanted(case)]
        return await asyncio.gather(*(run.runner.play(case) for case in cases))


def found(outcomes: Sequence[Outcome]) -> set[str]:
    return {finding.requirement for outcome in outcomes for finding in outcome.judgement.findings}
