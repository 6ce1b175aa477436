"""A start request that a case wants to be rejected, and which a right server of some dialect accepts, is told before anything is played."""

import pytest

from rollout_conformance.steps.tests.lint_told import Told as Told
from rollout_conformance.steps.tests.lint_told import told as told

REJECTED = """
cases:
- name: rejected
  requirements: [ROLLOUT-042]
  start: {max_turns: 0}
  expect: [{start_rejected: 422}]
"""


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (
            "{max_turns: 0}",
            "routed and leased has no max_turns, so that it is not rejected; write `dialects: [sync, callback]`",
        ),
        ("{initial_messages: 7}", "write `dialects: [routed, leased]`"),
        ("{max_turns: 0, messages: 7}", None),
        ("{without: [messages]}", None),
        ("{without: [server_url]}", "write `dialects: [sync, callback]`"),
        ("{max_turns: 0}\n  dialects: [sync]", None),
        ("{unknown: {x: 1}}", None),
    ],
)
def test_a_start_request_that_must_be_rejected_differs_in_every_dialect(
    told: Told, start: str, says: str | None
) -> None:
    """Else a server that ignores a member that its dialect has not, as it must, is accused."""
    lines = told("yaml", REJECTED.replace("{max_turns: 0}", start))
    assert [says in line for line in lines if says] == ([True] if says else []), lines
    assert (lines == []) is (says is None)
