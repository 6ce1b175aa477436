"""Fixtures for pytest: `pytest_plugins = ["rollout_conformance.steps.harness.fixtures"]`. Each test has a worker of its own."""

from collections.abc import Iterator

import pytest

from rollout_conformance.steps.harness.settings import DEFAULT
from rollout_conformance.steps.harness.worker import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    """The reference worker with the shipped model."""
    with Worker.start(config=DEFAULT) as started:
        yield started


@pytest.fixture
def worker_stub() -> Iterator[Worker]:
    """The reference worker with its stub, which is ready sooner and generates at an even pace."""
    with Worker.start(stub=True) as started:
        yield started
