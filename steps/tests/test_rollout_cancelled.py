"""A rollout that does not end although all were cancelled."""

from dataclasses import replace

import pytest

from rollout_conformance.steps.engine.trace import Request, Response
from rollout_conformance.steps.tests.test_rollout_cause import MINE, found, silent, waited


@pytest.mark.parametrize(
    ("body", "status", "accuses"),
    [
        (b'{"rollout_ids": [], "all": true}', 200, "ROLLOUT-226"),
        (b'{"rollout_ids": [], "all": true}', 500, MINE),
        (b'{"rollout_ids": ["a"], "all": false}', 200, MINE),
    ],
)
def test_a_rollout_that_outlives_the_cancellation_of_all_accuses_that(body: bytes, status: int, accuses: str) -> None:
    view = waited(silent("routed"), "the result")
    ((label, rollout),) = view.rollouts.items()
    n = view.trace.open(Request("POST", "/rollout/cancel", (), body), to_target=True)
    event = view.trace.event(label, "trainer", "CancelSent", n)
    view.trace.close(n, Response(status))
    one = found(replace(view, rollouts={label: replace(rollout, events=(*rollout.events, event))}))
    assert one is not None
    assert one.finding is not None
    assert (one.finding.requirement, n in one.finding.exchanges) == (accuses, accuses != MINE)
