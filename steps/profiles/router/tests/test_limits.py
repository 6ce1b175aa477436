"""A limit is judged by the time that the requests took: on a busy machine more of them succeed."""

import pytest

from rollout_conformance.steps.profiles.router.limits import LimitEnforced


@pytest.mark.parametrize(
    ("succeed", "of", "took_s", "right"),
    [
        (4, 8, 0.1, True),
        (5, 8, 0.1, False),
        (5, 8, 1.2, True),
        (8, 8, 0.3, False),
        (8, 8, 4.0, True),
        (0, 8, 4.0, False),
    ],
)
def test_more_succeed_in_more_time(succeed: int, of: int, took_s: float, right: bool) -> None:
    statuses = [*[200] * succeed, *[429] * (of - succeed)]
    check = LimitEnforced(4, per_s=1)._counts([*statuses], took_s)
    assert check.ok is right
