"""The metrics of several processes read like those of one."""

from prometheus_client import Counter, Gauge, Histogram

from rollout_conformance.rollout_server.common.metrics import ServerMetrics
from rollout_conformance.rollout_server.common.workers.summed_metrics import summed


def page(requests: int, usable: int) -> bytes:
    metrics = ServerMetrics()
    Counter("requests", "How many", ["path"], registry=metrics.registry).labels("/a").inc(requests)
    Gauge("usable", "Backends", registry=metrics.registry).set(usable)
    Histogram("seconds", "How long", buckets=(1, 2), registry=metrics.registry).observe(requests)
    return metrics.text()


def test_samples_are_added_and_equal_gauges_are_not() -> None:
    lines = summed([page(1, 2), page(2, 2)], equal=["usable"]).decode().splitlines()
    for line in (
        'requests_total{path="/a"} 3.0',
        "usable 2.0",
        'seconds_bucket{le="1.0"} 1.0',
        'seconds_bucket{le="2.0"} 2.0',
        'seconds_bucket{le="+Inf"} 2.0',
        "seconds_sum 3.0",
        "# TYPE seconds histogram",
    ):
        assert line in lines
