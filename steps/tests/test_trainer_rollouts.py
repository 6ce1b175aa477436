"""`rollouts:` on a trainer's card: what each way leaves out, and why."""

from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.peers.scripted_rollout_server import StartAnswer
from rollout_conformance.steps.profiles.trainer import actions as do
from rollout_conformance.steps.profiles.trainer import expectations as expect
from rollout_conformance.steps.profiles.trainer import left_out
from rollout_conformance.steps.profiles.trainer.card import TrainerCard
from rollout_conformance.steps.profiles.trainer.fuzz_adapter import left_out as paths_left_out
from rollout_conformance.steps.profiles.trainer.generation import Generate
from rollout_conformance.steps.profiles.trainer.rollout_source import unmet_need

AT = Location("x.yaml", 1)


def case(*steps: Any, dialect: str = "sync") -> Case:
    return Case("c", "trainer", dialect, ("TRAINER-178",), tuple(Step(step, AT) for step in steps), AT)


PLAIN = case(do.StartRollout(), Generate(), Generate(history="truncated"), expect.GenerationStatus((200, "4xx")))


@pytest.mark.parametrize("source", ["control", "open", "started"])
def test_a_plain_case_is_played_in_each_way(source: Any) -> None:
    assert left_out.reason(TrainerCard(rollouts=source), PLAIN) is None


@pytest.mark.parametrize(
    "steps",
    [
        (do.StartRollout(tools=("multiply",)),),
        (do.StartRollout(first_responses=(StartAnswer(429),)),),
        (do.StartRollout(), expect.StartRequests(2)),
        (do.StartRollout(), Generate(rollout_id="rc-unknown-0x")),
        (do.StartRollout(), Generate(history="prompt_changed")),
        (do.StartRollout(), Generate(), do.ReportEnd()),
    ],
)
def test_what_needs_a_start_request_is_left_out_where_there_is_none(steps: Any) -> None:
    assert left_out.reason(TrainerCard(rollouts="control"), case(*steps)) is None
    assert "`rollouts: open`" in (left_out.reason(TrainerCard(rollouts="open"), case(*steps)) or "")


def test_a_result_without_a_start_request_comes_by_callback() -> None:
    steps = (do.StartRollout(), Generate(), do.ReportEnd())
    assert left_out.reason(TrainerCard(rollouts="open"), case(*steps, dialect="callback")) is None


def test_what_needs_a_control_request_is_left_out_where_the_trainer_starts() -> None:
    assert left_out.reason(TrainerCard(rollouts="started"), case(do.StartRollout(timeout_s=1))) is not None
    assert (
        left_out.reason(TrainerCard(rollouts="started"), case(do.StartRollout(first_responses=(StartAnswer(429),))))
        is None
    )
    assert left_out.reason(TrainerCard(rollouts="started"), case(do.StartRollout(tools=()), dialect="callback")) is None
    assert left_out.reason(TrainerCard(rollouts="started"), case(do.StartRollout(tools=()))) is not None


def test_capabilities_that_a_way_cannot_have_are_not_asked_for() -> None:
    assert unmet_need(TrainerCard(), "key") is None
    assert "no key of its own" in (unmet_need(TrainerCard(rollouts="open"), "key") or "")
    assert unmet_need(TrainerCard(rollouts="open"), "record") is None
    assert "no control request" in (unmet_need(TrainerCard(rollouts="started"), "timeout") or "")


def test_generated_requests_leave_out_the_paths_that_are_not_there() -> None:
    assert paths_left_out(Card()) == frozenset()
    assert paths_left_out(TrainerCard(rollouts="open")) == {"/rollouts", "/rollouts/{rollout_id}"}
    assert paths_left_out(TrainerCard(rollouts="started", capabilities=["record"])) == {"/rollouts"}
