"""One breach is accused as that, and not as what follows from it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import Evidence, Finding
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.peers.script import Ack, Reply, Script
from rollout_conformance.steps.profiles.rollout.invariants.event_order import order
from rollout_conformance.steps.profiles.rollout.invariants.routed import routed
from rollout_conformance.steps.profiles.rollout.invariants.termination import ending, has_no_time_to_grade
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH
from rollout_conformance.steps.tests.heavy.rollout import Played

DONE = Script((Reply(text="Done."),))


def accused(evidence: Any) -> set[str]:
    found: list[Evidence] = list(evidence)
    return {one.requirement for one in found if isinstance(one, Finding)}


@pytest.mark.parametrize(("status", "expected"), [(408, set()), (422, {"ROLLOUT-042"})])
def test_a_rollout_that_timed_out_is_no_rejected_start(status: int, expected: set[str]) -> None:
    """The generation is held, and meanwhile the start request is answered."""
    one = Played("sync", DONE)
    n = one.trace.open(Request("POST", START_PATH["sync"], (), json.dumps(one.given.body).encode()), to_target=True)
    one.trace.event("", "trainer", "StartSent", n)
    one.trainer.receive(one._request("/v1/chat/completions", {"messages": one.messages}))
    one.trace.event("", "server", "StartRejected", n)
    one.trace.close(n, Response(status, (), b"{}"))
    assert accused(order(one.view())) == expected


@pytest.mark.parametrize(("later_s", "timing"), [(0.0, True), (0.1, True), (1.0, False)])
def test_what_came_on_another_connection_at_the_same_time_may_have_been_sent_before(
    later_s: float, timing: bool
) -> None:
    """A suite that waited for a CPU finds the last request and the result at once, and may read the result first."""
    one = Played("sync", Script((Reply(text="Done."), Reply(text="Late."))))
    n = one.trace.open(Request("POST", START_PATH["sync"], (), json.dumps(one.given.body).encode()), to_target=True)
    one.trace.event("", "trainer", "StartSent", n)
    one.trace.event("", "server", "ResultReturned", n)
    one.trace.close(n, Response(200, (), b"{}"))
    one.trace.epoch -= later_s
    one.trainer.receive(one._request("/v1/chat/completions", {"messages": one.messages}))
    found = [item for item in order(one.view()) if isinstance(item, Finding)]
    assert [(item.requirement, item.timing) for item in found] == [("ROLLOUT-064", timing)]


@pytest.mark.parametrize(("acks", "expected"), [((), {"ROLLOUT-215"}), ((Ack(status=503, times=9),), set())])
def test_a_sample_whose_result_nobody_acknowledged_may_be_left_out(acks: tuple[Ack, ...], expected: set[str]) -> None:
    one = Played("routed", Script((Reply(text="Done."),), acks))
    one.ask()
    one.start(202, {})
    one.post("/v1/rollout/completed", {"rollout_id": one.given.rollout_id, "status": "success"})
    view = replace(one.view(), wait_timeouts=(("", "the end"),))
    assert accused(routed(view)) == expected


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (slice(1, None), {"ROLLOUT-117", "ROLLOUT-118"}),  # without the first message: the last one is there
        (slice(0, -1), {"ROLLOUT-115"}),  # without the last one
    ],
)
def test_an_assistant_message_at_another_place_is_not_missing(kept: slice, expected: set[str]) -> None:
    one = Played("callback", DONE)
    one.ask()
    one.end(final_messages=one.messages[kept], metrics={})
    assert accused(ending(one.view())) & {"ROLLOUT-115", "ROLLOUT-117", "ROLLOUT-118"} == expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("Well.", set()),  # as the trainer returned it: its request alone is wrong (ROLLOUT-049)
        ("well.", set()),  # as in the last request
        ("WELL.", {"ROLLOUT-117"}),
    ],
)
def test_a_message_that_a_request_changed_is_accused_once(shown: str, expected: set[str]) -> None:
    one = Played("callback", Script((Reply(text="Well."), Reply(text="Done."))))
    one.ask()
    one.messages[-1] = {**mapping(one.messages[-1]), "content": "well."}
    one.ask({"role": "user", "content": "Go on."})
    place = len(one.messages) - 3
    final = [*one.messages]
    final[place] = {**mapping(final[place]), "content": shown}
    one.end(final_messages=final, metrics={})
    assert accused(ending(one.view())) & {"ROLLOUT-115", "ROLLOUT-117", "ROLLOUT-118"} == expected


@pytest.mark.parametrize(
    ("dialect", "seconds", "expected"),
    [("leased", 0, True), ("leased", 30, False), ("leased", None, False), ("routed", 0, False)],
)
def test_a_result_of_agent_and_grader_may_fail_by_a_grader_without_time(
    dialect: str, seconds: int | None, expected: bool
) -> None:
    one = Played(dialect, DONE)
    one.given.body["grader_timeout_sec"] = seconds  # type: ignore[index]
    (rollout,) = one.view().rollouts.values()
    assert has_no_time_to_grade(rollout) is expected
