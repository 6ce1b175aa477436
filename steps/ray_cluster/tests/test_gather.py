"""A part whose worker dies is played again once, and each outcome counts once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from rollout_conformance.steps.baseline import Baseline
from rollout_conformance.steps.engine.findings import Judgement, SuiteError, Verdict
from rollout_conformance.steps.ray_cluster.cluster import WorkerDied, address_of
from rollout_conformance.steps.ray_cluster.gather import Gathering
from rollout_conformance.steps.ray_cluster.messages import Message, PlayedCase, ShardBegun, ShardRequest
from rollout_conformance.steps.run_setup import RunOptions
from rollout_conformance.steps.sharding import Shard

BEGUN = ShardBegun("node-7", "http://target", ("sync",), "hash", None, (), ("a", "b"))


def played(case_id: str) -> PlayedCase:
    return PlayedCase(case_id, Judgement(Verdict.PASS, {}), (), (), (), 0.1, 0.0, False, None, 0.0)


def request(number: int = 1, count: int = 1) -> ShardRequest:
    return ShardRequest(RunOptions(), (), (), Shard(number, count), "with", Baseline())


class Dying:
    """Tells one case and dies, so many times; then it tells all that are asked for."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked: list[frozenset[str]] = []

    async def messages(self, request: ShardRequest) -> AsyncIterator[Message]:
        self.asked.append(request.without)
        yield BEGUN
        yield played("a")
        if len(self.asked) <= self.times:
            raise WorkerDied("out of memory")
        yield played("b")


def gathered(workers: Dying) -> tuple[list[str], list[str]]:
    told: list[str] = []
    notes: list[str] = []
    gathering = Gathering(workers, lambda begun: None, lambda one: told.append(one.case_id), notes.append)
    asyncio.run(gathering.all_of([request()]))
    return told, notes


def test_each_outcome_counts_once() -> None:
    assert gathered(Dying(0)) == (["a", "b"], [])


def test_a_part_whose_worker_died_is_played_again_without_what_was_told() -> None:
    workers = Dying(1)
    told, notes = gathered(workers)
    assert told == ["a", "b"]
    assert workers.asked == [frozenset(), frozenset({"a"})]
    assert notes == ["the worker on node-7 died in shard 1/1 (out of memory); what it had not told is played again"]


def test_a_part_is_given_up_after_a_second_death() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        gathered(Dying(2))
    (error,) = raised.value.exceptions
    assert isinstance(error, SuiteError)
    assert str(error) == "shard 1/1 was given up: the worker on node-7 died too (out of memory)"


@pytest.mark.parametrize(
    ("text", "address"), [("ray", None), ("ray:auto", "auto"), ("ray:10.0.0.1:6379", "10.0.0.1:6379")]
)
def test_the_address_of_a_cluster(text: str, address: str | None) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["dask", "ray:", "rays", ""])
def test_what_is_no_cluster_is_refused(text: str) -> None:
    with pytest.raises(SuiteError, match="write ray, or ray:ADDRESS"):
        address_of(text)
