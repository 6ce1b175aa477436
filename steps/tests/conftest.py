"""How many processes run the tests of this project with `-n auto`."""

import os

import pytest

MOST = 12  # each takes up to one GB of memory


@pytest.hookimpl(optionalhook=True)  # of a plugin that may be left out
def pytest_xdist_auto_num_workers() -> int:
    """Two for each CPU: more than half of the time of a test is waiting, for a deadline or for a server to start."""
    return min(2 * (os.cpu_count() or 1), MOST)
