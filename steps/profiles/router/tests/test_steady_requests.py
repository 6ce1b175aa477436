"""Whether a client that retries often is admitted again is decided by the pauses that really were."""

import pytest

from rollout_conformance.steps.profiles.router.steady_requests import Sent, admitted


def requests(*answers: bool, every_s: float = 0.25, slow: int = -1) -> list[Sent]:
    """Requests with these answers; that of the number `slow` comes two seconds late, and all after it."""
    at = [n * every_s + (2.0 if slow >= 0 and n > slow else 0.0) for n in range(len(answers))]
    return [
        (began, began + 0.05 + (2.0 if n == slow else 0.0), answer)
        for n, (began, answer) in enumerate(zip(at, answers, strict=True))
    ]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([], None),
        (requests(True, True, False), None),
        (requests(True, False, False, True), True),
        (requests(*[False] * 15), False),
        (requests(*[False] * 12), None),
        (requests(False, False, True, False, slow=1), None),
        (requests(False, False, *[False] * 13, slow=1), None),
        (requests(False, False, False, True, False, *[False] * 13, slow=2), False),
    ],
)
def test_a_success_counts_after_short_pauses_only(sent: list[Sent], found: bool | None) -> None:
    assert admitted(sent) is found
