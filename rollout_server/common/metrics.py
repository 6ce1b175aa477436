"""Prometheus metrics: each server has its own registry."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest


class ServerMetrics:
    """The metrics of one server. A subclass registers its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """A number that is read when the page of metrics is."""
        Gauge(name, help_text, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """The page of metrics."""
        return generate_latest(self.registry)
