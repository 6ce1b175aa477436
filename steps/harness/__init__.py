"""A harness for inference workers: start one as a process, run jobs on it, judge their streams, end it. See docs/worker.md.

    with Worker.start(stub=True) as worker:
        job = worker.execute("Hello!", max_tokens=8)
        assert_successful_completion(job)

A worker is started as a `cmd:` target is, and ends with the tests, whatever ends them.
"""

from rollout_conformance.steps.harness.checks import (
    assert_event_order,
    assert_successful_completion,
    assert_token_count,
    extract_tokens,
)
from rollout_conformance.steps.harness.errors import (
    HarnessError,
    WorkerClosedError,
    WorkerDiedError,
    WorkerNotReadyError,
    WorkerNotStartedError,
)
from rollout_conformance.steps.harness.job_runner import RunningJob
from rollout_conformance.steps.harness.profiling import Profile, profile, profiles, table
from rollout_conformance.steps.harness.settings import DEFAULT, FAST, LONG, PROMPTS, Config, TestPrompt
from rollout_conformance.steps.harness.worker import Health, Worker

__all__ = [
    "DEFAULT",
    "FAST",
    "LONG",
    "PROMPTS",
    "Config",
    "HarnessError",
    "Health",
    "Profile",
    "RunningJob",
    "TestPrompt",
    "Worker",
    "WorkerClosedError",
    "WorkerDiedError",
    "WorkerNotReadyError",
    "WorkerNotStartedError",
    "assert_event_order",
    "assert_successful_completion",
    "assert_token_count",
    "extract_tokens",
    "profile",
    "profiles",
    "table",
]
