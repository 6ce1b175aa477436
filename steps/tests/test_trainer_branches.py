"""A trainer whose rollouts have several conversations (capability `branches`): what is judged of it, and what no longer is."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Finding, Location, Verdict
from rollout_conformance.steps.profiles.trainer import actions as do
from rollout_conformance.steps.profiles.trainer import left_out, wrong_requests
from rollout_conformance.steps.profiles.trainer.card import TrainerCard
from rollout_conformance.steps.profiles.trainer.generation import Generate
from rollout_conformance.steps.profiles.trainer.invariants.records import records
from rollout_conformance.steps.profiles.trainer.state import CaseView, recorded
from rollout_conformance.steps.tests.test_trainer_profile import RECORD, reply, view
from rollout_conformance.steps.tests.trainer_runs import card, found, played

AT = Location("x.yaml", 1)
BRANCHED = TrainerCard(capabilities=["branches"])
HISTORY = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "a"},
    {"role": "user", "content": "two"},
    {"role": "assistant", "content": "b"},
    {"role": "user", "content": "three"},
]


def branched(dialect: str = "sync") -> TrainerCard:
    env = {"TRAINER_BRANCHES": "true", "TRAINER_DIALECTS": f'["{dialect}"]'}
    return card("open", env, dialects=[dialect], capabilities=["record", "branches"])


def about_histories(case: Case) -> bool:
    wanted = {"TRAINER-187", "TRAINER-188", "TRAINER-189", "TRAINER-190", "TRAINER-311"}
    return case.requirements[0] in wanted and "stress" not in case.tags


def played_with(generate: Generate) -> Case:
    steps: Any = (do.StartRollout(), Generate(), generate)
    return Case("c", "trainer", "sync", ("TRAINER-187",), tuple(Step(step, AT) for step in steps), AT)


def test_a_wrong_history_is_not_judged_where_it_begins_a_branch() -> None:
    assert left_out.reason(TrainerCard(), played_with(Generate(history="truncated"))) is None
    assert "begins a branch" in (left_out.reason(BRANCHED, played_with(Generate(history="truncated"))) or "")


@pytest.mark.parametrize(
    "generate",
    [Generate(history="forked", branch="b"), Generate(history="truncated", members={"messages": []}), Generate()],
)
def test_what_branches_allow_or_reject_as_well_is_still_judged(generate: Generate) -> None:
    assert left_out.reason(BRANCHED, played_with(generate)) is None


def test_a_fork_leaves_out_the_last_generation_and_goes_another_way() -> None:
    forked: Any = wrong_requests.history(HISTORY, "forked")
    assert forked[:2] == HISTORY[:2]
    assert forked[2] == {"role": "user", "content": "two Then add 1."}
    assert len(forked) == 3


@pytest.mark.parametrize("dialect", ["sync", "callback"])
def test_a_trainer_with_branches_is_accused_of_nothing(dialect: str) -> None:
    outcomes = played(branched(dialect), about_histories)
    assert found(outcomes) == set()
    passed = {outcome.case.requirements[0] for outcome in outcomes if outcome.judgement.verdict == Verdict.PASS}
    assert passed >= {"TRAINER-188", "TRAINER-189", "TRAINER-190", "TRAINER-311"}
    assert {outcome.judgement.verdict for outcome in outcomes} <= {Verdict.PASS, Verdict.SKIP}


@pytest.mark.parametrize(
    ("mutant", "broken"),
    [("joins_branches", "TRAINER-189"), ("forgets_branches", "TRAINER-311"), ("shares_turns", "TRAINER-311")],
)
def test_a_wrong_record_of_branches_is_found(mutant: str, broken: str) -> None:
    outcomes = played(branched("callback"), lambda case: case.requirements[0] == "TRAINER-311", mutant)
    assert broken in found(outcomes)


def test_a_trainer_that_declares_branches_and_rejects_them_is_found() -> None:
    described = branched().model_copy(update={"env": {**branched().env, "TRAINER_BRANCHES": "false"}})
    assert found(played(described, lambda case: case.requirements[0] == "TRAINER-311")) == {"TRAINER-311"}


LINE = {name: RECORD[name] for name in ("turns", "token_ids", "response_mask", "logprobs", "drift")}


def of(record: dict[str, Any], branches: bool = True) -> set[str]:
    seen = view(reply(), record=record)
    judged = CaseView(seen.trace, seen.dialect, seen.rollouts, seen.tokens, None, branched=branches)
    return {item.requirement for item in records(judged) if isinstance(item, Finding)}


def test_each_branch_of_a_record_is_judged_by_itself() -> None:
    right = {"status": "running", "branches": [LINE, LINE]}
    assert of(right) == set()
    assert of({**right, "branches": [LINE, {**LINE, "response_mask": [0, 0, 1, 1, 1]}]}) == {"TRAINER-188"}


def test_turns_that_no_branch_orders_are_not_judged_as_one_conversation() -> None:
    several: Any = {**RECORD, "turns": [LINE["turns"][1], LINE["turns"][0]], "token_ids": [], "response_mask": []}  # type: ignore[index]
    assert of(several) == set()
    assert of(several, branches=False) != set()


def test_a_record_without_branches_is_one_line() -> None:
    assert recorded(RECORD) == [RECORD]
    assert recorded({"branches": [LINE, 7]}) == [LINE]
