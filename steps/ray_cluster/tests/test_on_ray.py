"""`run --on ray` on a cluster of this machine: the verdicts of a local run, also of a target with a defect, and with a worker that dies."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.engine import report_file
from rollout_conformance.steps.engine.findings import Judgement, Verdict
from rollout_conformance.steps.ray_cluster.cluster import Cluster, connected
from rollout_conformance.steps.ray_cluster.gather import Gathering
from rollout_conformance.steps.ray_cluster.messages import Message, PlayedCase, ShardBegun, ShardRequest
from rollout_conformance.steps.run_setup import RunOptions
from rollout_conformance.steps.sharding import Shard

SUITE = "from rollout_conformance.steps.entry import main; main()"
FEW = ("--dialect", "callback", "--case", "*arguments*")
DEFECT = (
    "--target",
    "app:rollout_server.mutants:create_app",
    "--card",
    "scenarios/cards/reference.yaml",
)


def verdicts(file: Path) -> dict[str, tuple[str, frozenset[str]]]:
    found = {}
    for result in report_file.read(file).results():
        found[result.case] = (str(result.verdict), frozenset(one.requirement for one in result.findings))
    return found


def run(report: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", SUITE, "run", *FEW, "--report", str(report), *words],
        env={**os.environ, "ROLLOUT_MUTANT": "respaced"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("target", [(), DEFECT], ids=["reference", "defect"])
def test_the_verdicts_are_those_of_a_local_run(target: tuple[str, ...], tmp_path: Path) -> None:
    local = run(tmp_path / "local.ndjson", *target)
    there = run(tmp_path / "there.ndjson", "--on", "ray", *target)
    assert there.returncode == local.returncode, there.stdout + there.stderr
    assert local.returncode == (1 if target else 0), local.stdout + local.stderr
    assert verdicts(tmp_path / "there.ndjson") == verdicts(tmp_path / "local.ndjson")
    assert len(verdicts(tmp_path / "there.ndjson")) > 5


def test_a_target_that_cannot_be_judged_says_so_as_in_a_local_run(tmp_path: Path) -> None:
    done = run(tmp_path / "none.ndjson", "--on", "ray", "--target", "http://127.0.0.1:9")
    assert done.returncode == 2, done.stdout
    assert "http://127.0.0.1:9" in done.stderr


@pytest.mark.parametrize("words", [("--shard", "1/2"), ("--soak", "5s"), ("--fail-fast",), ("--exclusive", "only")])
def test_options_that_a_cluster_does_not_have(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path / "none.ndjson", "--on", "ray", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert words[0] in done.stderr


def work_of_a_mortal(request: ShardRequest) -> Iterator[Message]:
    """Ends its process after the first of two cases, once."""
    mark = Path(request.environment["MARK"])
    yield ShardBegun("here", "", ("sync",), "", None, (), ("a", "b"))
    for case_id in ("a", "b"):
        if case_id not in request.without:
            yield PlayedCase(case_id, Judgement(Verdict.PASS, {}), (), (), (), 0.0, 0.0, False, None, 0.0)
        if not mark.exists():
            mark.touch()
            os._exit(1)


def test_a_worker_process_that_ends_is_a_worker_that_died(tmp_path: Path) -> None:
    told: list[str] = []
    notes: list[str] = []
    with connected(None, workers=1) as cluster:
        cluster.task = cluster.ray.remote(num_returns="streaming", max_retries=0)(work_of_a_mortal)
        mark = {"MARK": str(tmp_path / "died")}
        request = ShardRequest(RunOptions(), (), (), Shard(1, 1), "with", Baseline(), mark)
        gathering = Gathering(cluster, lambda begun: None, lambda one: told.append(one.case_id), notes.append)
        asyncio.run(gathering.all_of([request]))
    assert told == ["a", "b"]
    assert len(notes) == 1
    assert "died in shard 1/1" in notes[0]


def test_a_run_has_no_more_parts_than_cases_or_cpus() -> None:
    class Ray:
        def __init__(self, cpus: float) -> None:
            self.cpus = cpus

        def remote(self, **options: object) -> object:
            return lambda work: work

        def cluster_resources(self) -> dict[str, float]:
            return {"CPU": self.cpus}

    assert [Cluster(Ray(8)).shards(cases) for cases in (0, 3, 100)] == [1, 3, 8]
    assert Cluster(Ray(1000)).shards(1000) == 64
