"""Which metrics show that rejections are counted apart from successes."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.router.metrics import RejectionsCountedSeparately

SERVED, REJECTED = 3, 5


def page(n: int, **metrics: float) -> KeptResponse:
    text = "".join(f"{name} {value}\n" for name, value in metrics.items())
    return KeptResponse(f"page {n}", n, {}, 200, text, raw=text.encode())


@pytest.mark.parametrize(
    ("between", "after", "right"),
    [
        ({"total": 3}, {"total": 8}, False),
        ({"total": 3}, {"total": 8, "failures": 5}, True),
        ({"served": 3}, {"served": 3, "rejected": 5}, True),
        ({"total": 3, "upstream": 3}, {"total": 8, "upstream": 3}, False),
        ({"total": 3, "seconds": 0.2}, {"total": 8, "seconds": 0.5}, False),
    ],
    ids=["one count", "a total and failures", "two counts", "a total and what is forwarded", "a total and time"],
)
def test_a_metric_counts_rejections_alone(between: Any, after: Any, right: bool) -> None:
    pages = (page(0), page(1 + SERVED, **between), page(2 + SERVED + REJECTED, **after))
    requests = [SimpleNamespace(n=n) for n in range(1, 2 + SERVED + REJECTED) if n != 1 + SERVED]
    view = cast(Any, SimpleNamespace(named=lambda *_: list(pages), responses=[*pages, *requests]))
    (evidence,) = RejectionsCountedSeparately("before", "between", "after").judge(view, "ROUTER-040")
    assert isinstance(evidence, Finding) is not right
