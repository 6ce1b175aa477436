"""How many workers `pytest -n auto` starts for the tests of this project."""

import os

import pytest

SMALL = 8  # workers: on a machine with fewer CPUs most of them wait


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as CPUs on a small machine: most tests wait for servers and deadlines and do not compute."""
    cpus = os.cpu_count() or 1
    return max(cpus, min(2 * cpus, SMALL))
