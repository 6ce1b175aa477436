"""What a case rests on: an invalid start request that is rejected, a tool that the target has, tool results that can be told apart."""

import json
from typing import Any

import pytest

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.findings import Cause, Finding, Location
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.peers.script import Call, Reply, Script
from rollout_conformance.steps.profiles.rollout.actions.prepare import ScriptTrainer
from rollout_conformance.steps.profiles.rollout.cause import cause
from rollout_conformance.steps.profiles.rollout.expectations.start_responses import (
    NeedsRejection,
    RejectedOrRun,
    StartRejected,
)
from rollout_conformance.steps.profiles.rollout.expectations.tool_results import ToolResults
from rollout_conformance.steps.profiles.rollout.invariants.tools import tools
from rollout_conformance.steps.profiles.rollout.profile import PROFILE
from rollout_conformance.steps.profiles.rollout.view import CaseView
from rollout_conformance.steps.tests.heavy.rollout import Played

AT = Location("case", 1)
ABOUT = "ROLLOUT-022"


def found(view: CaseView, *what: Any, actions: tuple[Any, ...] = ()) -> Cause | None:
    steps = (*actions, *what)
    return cause(
        PROFILE.catalogue, Case("it", "rollout", "callback", (ABOUT,), tuple(Step(one, AT) for one in steps), AT), view
    )


def started(*statuses: int) -> CaseView:
    one = Played("callback", Script())
    for status in statuses:
        one.start(
            status, {"rollout_id": one.given.rollout_id, "tools": one.tools} if status < 300 else {"detail": "no"}
        )
    return one.view()


def test_an_invalid_start_that_is_accepted_is_the_finding_itself() -> None:
    one = found(started(202), StartRejected())
    assert one is not None
    assert one.finding is not None
    assert (one.finding.requirement, one.finding.observed, one.certain) == (ABOUT, "accepted with 202", True)
    assert found(started(422), StartRejected()) is None


@pytest.mark.parametrize(("statuses", "decides"), [((202, 202), False), ((422, 202), True)])
def test_what_follows_a_rejection_is_not_judged_where_there_was_none(statuses: tuple[int, ...], decides: bool) -> None:
    one = found(started(*statuses), NeedsRejection(), RejectedOrRun())
    assert (one is None) == decides
    assert one is None or (one.finding, "accepted with 202" in one.reason) == (None, True)


def calls(*names: str) -> ScriptTrainer:
    return ScriptTrainer(Script((Reply(calls=tuple(Call(name, "{}") for name in names)), Reply(text="Done."))))


@pytest.mark.parametrize(
    ("called", "results", "told"),
    [
        (("ad",), ("snow",), "Did you mean add?"),
        (("add", "nope"), (8, "error"), None),  # an unknown tool that has to be an error
        (("add", "nope"), (8, 9), "unknown tool 'nope'"),
        (("nope",), (("error", 8),), None),  # either is right
        (("add",), (8,), None),
    ],
)
def test_the_result_of_a_tool_that_the_target_does_not_list_cannot_be_demanded(
    called: tuple[str, ...], results: tuple[Any, ...], told: str | None
) -> None:
    one = found(started(202), ToolResults(results), actions=(calls(*called),))
    assert (one is None) == (told is None)
    assert one is None or (one.finding, str(told) in one.reason) == (None, True)


def answered(order: tuple[int, ...], contents: tuple[str, str]) -> list[str]:
    """The requirements that two results in this order break."""
    both = (Call("add", json.dumps({"a": 5, "b": 3})),) * 2
    one = Played("callback", Script((Reply(text="Well.", calls=both), Reply(text="Done."))))
    one.ask()
    ids = [mapping(call)["id"] for call in one.enrolled.issued[-1].calls]
    one.ask(*({"role": "tool", "tool_call_id": ids[n], "content": contents[n]} for n in order))
    one.end()
    return [item.requirement for item in tools(one.view()) if isinstance(item, Finding)]


def test_equal_results_have_the_order_of_their_ids() -> None:
    assert answered((0, 1), ("8", "8")) == []
    assert answered((1, 0), ("8", "8")) == ["ROLLOUT-095"]
