"""The reference passes every check."""

import pytest

from rollout_conformance.rollout_server.tests.training.checks import CHECKS
from rollout_conformance.rollout_server.tests.training.support import play


@pytest.mark.parametrize("name", CHECKS)
def test_check(name: str) -> None:
    play(CHECKS[name])
