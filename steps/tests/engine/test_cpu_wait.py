import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from rollout_conformance.steps.engine.cpu_wait import CpuWait

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counted on Linux alone")
CROWD = (  # all on one CPU, whatever the machine has
    "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); exec(sys.argv[1])"
)
BUSY = "while True: pass"
STILL = "import time; time.sleep(60)"
IN_A_CHILD = f"import subprocess; subprocess.run([sys.executable, '-c', {BUSY!r}])"


@contextmanager
def process(code: str) -> Iterator[int]:
    words = [sys.executable, "-c", CROWD, code]
    popen = subprocess.Popen(words, start_new_session=True)  # noqa: S603 - of our own making
    try:
        yield popen.pid
    finally:
        os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()


def waited(code: str) -> float:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(process(BUSY))
        pid = stack.enter_context(process(code))
        time.sleep(0.5)  # its child has started
        wait = CpuWait(pid)
        time.sleep(1.5)
        return wait.seconds()


@pytest.mark.parametrize("code", [BUSY, IN_A_CHILD], ids=["itself", "in a child"])
def test_a_target_that_shares_its_cpu_with_three_others_waits_for_it(code: str) -> None:
    assert waited(code) > 0.5


def test_one_that_hangs_waits_for_no_cpu() -> None:
    assert waited(STILL) < 0.3


def test_a_process_that_has_ended_waits_for_none() -> None:
    with process(STILL) as pid:
        wait = CpuWait(pid)
    assert wait.seconds() < 0.3
    assert CpuWait(None).seconds() < 0.3
