"""SIGTERM is an interruption, also where SIGINT is ignored."""

import os
import signal
from collections.abc import Iterator

import pytest

from steps.engine import stopping


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stopping.as_interruption()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("interrupt", [signal.default_int_handler, signal.SIG_IGN])
def test_sigterm_interrupts(interrupt: signal.Handlers) -> None:
    signal.signal(signal.SIGINT, interrupt)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
