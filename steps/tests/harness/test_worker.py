"""The harness against the reference worker: jobs, cancellation, faults of the process, and the end of it."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout_conformance.steps.harness import (
    FAST,
    PROMPTS,
    Config,
    Worker,
    WorkerClosedError,
    WorkerDiedError,
    WorkerNotReadyError,
    WorkerNotStartedError,
    assert_successful_completion,
    assert_token_count,
    extract_tokens,
    profile,
    profiles,
    table,
)
from rollout_conformance.steps.harness.worker import REFERENCE, STUB
from rollout_conformance.steps.profiles.worker.events import CANCELLED, LENGTH

pytest_plugins = ["rollout_conformance.steps.harness.fixtures"]
PATIENT = Config(ready_s=60.0, job_s=60.0)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def stub() -> Iterator[Worker]:
    with Worker.start(stub=True, config=PATIENT) as started:
        yield started


@pytest.mark.parametrize("name", PROMPTS)
def test_a_job_ends_by_itself(stub: Worker, name: str) -> None:
    prompt = PROMPTS[name]
    job = stub.execute(prompt.text, stop=prompt.stop, max_tokens=20)
    assert_successful_completion(job)
    assert "".join(extract_tokens(job)) == job.transcript.joined


def test_a_job_has_as_many_tokens_as_it_asks_for(stub: Worker) -> None:
    job = stub.execute(max_tokens=7)
    assert_token_count(job, 7)
    assert job.reason == LENGTH


def test_a_job_is_cancelled_while_it_runs(stub: Worker) -> None:
    job = stub.begin(max_tokens=2000)
    assert job.wait_for_tokens(2) >= 2
    assert job.cancel() == 202
    assert job.result().reason == CANCELLED
    with pytest.raises(AssertionError, match="the reason is cancelled"):
        assert_successful_completion(job.result())


def test_a_client_leaves_and_its_slot_is_free(stub: Worker) -> None:
    jobs = [stub.begin(max_tokens=2000) for _ in range(8)]
    for job in jobs:
        job.wait_for_tokens()
        assert job.disconnect().left
    assert_successful_completion(stub.execute())


def test_the_health_check_names_the_stub(stub: Worker) -> None:
    health = stub.health()
    assert health.is_healthy
    assert health.body["stub"] is True


def test_a_profile_counts_the_jobs(stub: Worker) -> None:
    measured = profile(stub, jobs=4, concurrent=2, max_tokens=5)
    assert (measured.jobs, measured.failed) == (4, 0)
    assert measured.tokens_per_s > 0
    assert "tokens a second" in measured.report()


def test_profiles_are_told_apart_by_class(stub: Worker) -> None:
    measured = profiles(stub, {"short": "Hi", "long": "Hello! " * 200}, jobs=2, max_tokens=3)
    assert [one.jobs for one in measured.values()] == [2, 2]
    lines = table(measured).splitlines()
    assert [line.split()[0] for line in lines] == ["class", "short", "long"]
    assert len(lines[1].split()) == 6


def test_other_dialects_are_spoken() -> None:
    for dialect in ("vllm-generate", "sglang", "tgi", "llamacpp"):
        with Worker.start(stub=True, config=PATIENT, dialect=dialect) as worker:
            job = worker.execute(max_tokens=4)
            assert_successful_completion(job)
            assert_token_count(job, 4)


def test_a_worker_that_was_killed_is_noticed_and_restarted() -> None:
    with Worker.start(stub=True, config=PATIENT) as worker:
        job = worker.begin(max_tokens=2000)
        job.wait_for_tokens()
        worker.kill()
        assert job.result().fault is not None
        with pytest.raises(WorkerDiedError, match=r"ended with code -9"):
            worker.execute()
        before = worker.pid
        worker.restart()
        assert worker.pid != before
        assert_successful_completion(worker.execute())


def test_a_worker_that_stands_still_is_no_end_of_a_job() -> None:
    with Worker.start(stub=True, config=Config(ready_s=60.0, job_s=1.0)) as worker:
        job = worker.begin(max_tokens=2000)
        job.wait_for_tokens()
        worker.pause()
        try:
            assert job.result().fault == "no end within 1 s"
        finally:
            worker.resume()


def test_memory_that_runs_out_is_an_error_of_one_job() -> None:
    with Worker.start(stub=True, config=PATIENT, environment={"WORKER_CACHE_TOKENS": "20"}) as worker:
        failed = worker.execute(max_tokens=100)
        assert failed.transcript.failure is not None
        assert failed.transcript.failure.code == "VRAM_OOM"
        assert_successful_completion(worker.execute(max_tokens=3))


def test_a_full_disk_for_the_log_stops_no_job() -> None:
    words = " ".join(f"'{word}'" for word in (*REFERENCE, STUB))
    command = ("/bin/sh", "-c", f"exec {words} > /dev/full 2>&1")
    with Worker.start(command=command, config=PATIENT) as worker:
        assert worker.request("POST", "/execute", {}).status_code == 400
        assert_successful_completion(worker.execute())


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(WorkerNotStartedError, match="is installed") as caught:
        Worker.start(command=("/nowhere/worker", "{port}"))
    assert caught.value.command[0] == "/nowhere/worker"


def test_a_worker_that_ends_at_once_shows_its_log() -> None:
    with pytest.raises(WorkerDiedError, match="WORKER_SLOTS") as caught:
        Worker.start(config=PATIENT, environment={"WORKER_SLOTS": "many"})
    assert "WORKER_SLOTS" in caught.value.log


def test_a_worker_that_does_not_become_ready() -> None:
    with pytest.raises(WorkerNotReadyError, match=r"(?s)within 2 s.*ready_s"):
        Worker.start(
            stub=True, config=Config(ready_s=2.0), environment={"WORKER_LOAD_DELAY_S": "30", "WORKER_DRAIN_S": "0"}
        )


@pytest.mark.parametrize("command", ["my-worker --listen 80", ("my-worker",), ()])
def test_a_command_without_a_port_is_an_error_of_the_test(command: str | tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"one of its words needs \{port\}"):
        Worker.start(command=command)


def test_a_command_may_be_one_text() -> None:
    with pytest.raises(WorkerNotStartedError) as caught:
        Worker.start(command="/nowhere/worker --port {port}")
    assert caught.value.command[:2] == ("/nowhere/worker", "--port")


def test_an_unknown_dialect_is_an_error_of_the_test() -> None:
    with pytest.raises(ValueError, match="'openai' is none of orcd, vllm-generate"):
        Worker.start(stub=True, dialect="openai")


def test_a_worker_that_stands_still_is_closed_like_any_other() -> None:
    worker = Worker.start(stub=True, config=PATIENT)
    pid = worker.pid
    worker.pause()
    worker.close()
    assert not is_alive(pid)
    assert not worker.target.killed


def test_a_closed_worker_is_not_said_to_have_died() -> None:
    worker = Worker.start(stub=True, config=PATIENT)
    worker.close()
    with pytest.raises(WorkerClosedError, match="Start another one"):
        worker.execute()


def test_closing_ends_the_process_and_may_be_repeated() -> None:
    worker = Worker.start(stub=True, config=FAST)
    pid = worker.pid
    worker.close()
    worker.close()
    assert not is_alive(pid)


CHILD = """
import sys, time
from rollout_conformance.steps.harness import Worker
worker = Worker.start(stub=True)
print(worker.pid, flush=True)
sys.stdin.read()
"""


def test_a_worker_ends_when_its_tests_are_killed() -> None:
    with subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout is not None
        pid = int(tests.stdout.readline())
        assert is_alive(pid)
        os.kill(tests.pid, signal.SIGKILL)
        tests.wait()
        until_ended(pid)


def until_ended(pid: int) -> None:
    """The guard acts when its pipe closes; the deadline is that of pytest's own limit for a test."""
    descriptor = os.pidfd_open(pid) if is_alive(pid) else None
    if descriptor is not None:
        assert select.select([descriptor], [], [], 20.0)[0], "the worker still runs"
        os.close(descriptor)


def test_the_fixtures_give_a_worker(worker: Worker, worker_stub: Worker) -> None:
    assert worker.health().body["stub"] is False
    assert worker_stub.health().body["stub"] is True
    assert_successful_completion(worker.execute())
