"""Stop tokens of several sequences: each of them ends there, or is a finding."""

from dataclasses import replace

import pytest

from rollout_conformance.steps.profiles.training.sampling_expectations import StoppedAt
from rollout_conformance.steps.profiles.training.tests.test_judging import response, verdicts, view_of

WHOLE = {"tokens": [1, 2, 3, 4], "stop_reason": "length"}


@pytest.mark.parametrize(
    ("sequences", "found"),
    [
        (
            [{"tokens": [1, 2, 3], "stop_reason": "stop"}, {"tokens": [1, 2], "stop_reason": "stop"}],
            ["Satisfied", "Satisfied"],
        ),
        ([{"tokens": [1, 2, 3], "stop_reason": "stop"}, WHOLE], ["Satisfied", "Finding"]),
        ([{"tokens": [1, 2, 3], "stop_reason": "length"}], ["Finding"]),
    ],
)
def test_each_sequence_ends_at_the_stop_token(sequences: list[object], found: list[str]) -> None:
    whole = response("whole", 0, {"sequences": [WHOLE]})
    stopped = replace(response("stopped", 1, {"sequences": sequences}), request={"sampling_params": {"stop": [3]}})
    assert verdicts(view_of(whole, stopped), StoppedAt(of=("stopped",), whole="whole")) == found
