"""Which cases share instances of the usual configuration, and how many of those there are."""

import asyncio
import contextlib

import pytest

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.instance_pool import PooledInstance
from rollout_conformance.steps.engine.instances import FEW_POOLED, LAST_GRACE_S, MOST_POOLED, SOON_S, Instances
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.targets import Target
from rollout_conformance.steps.tests import virtual_time

CARD = Card.model_validate({"variants": {"one_slot": {"env": {}}}})


async def _well(base_url: str, within_s: float) -> bool:
    return True


async def _served(base_url: str, variant: str) -> None: ...


def instances(spec: str = "cmd:worker {port}", card: Card = CARD, start_s: float = 0.5) -> Instances:
    made = Instances(spec, card, 32, lambda case: "disturbs" in case.tags, _well, _served)
    made.start_s = start_s
    return made


def case(*tags: str, variant: str = "", alone: bool = False) -> Case:
    at = Location("a.yaml", 1)
    return Case("a", "worker", "orcd", ("WORKER-200",), (), at, frozenset(tags), variant=variant, alone=alone)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (case("disturbs"), True),
        (case(), False),
        (case("disturbs", alone=True), False),
        (case("disturbs", variant="one_slot"), False),
    ],
)
def test_cases_that_disturb_share_instances(found: Case, expected: bool) -> None:
    assert instances().uses_pool(found) is expected


def test_a_url_has_one_instance() -> None:
    assert not instances("http://127.0.0.1:1").uses_pool(case("disturbs"))


def test_beside_variants_there_are_fewer_instances_of_the_usual_configuration() -> None:
    assert instances()._sized_pool().most == FEW_POOLED
    assert instances(card=Card())._sized_pool().most == MOST_POOLED
    assert instances(card=Card(), start_s=SOON_S)._sized_pool().most == FEW_POOLED


def test_at_the_end_all_instances_are_stopped_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping, most = 0, 0

    async def stop(target: Target, grace_s: float = 0.0) -> None:
        nonlocal stopping, most
        stopping += 1
        most = max(most, stopping)
        await asyncio.sleep(grace_s)
        stopping -= 1

    async def play() -> float:
        made = instances()
        pool = made._sized_pool()
        pool.made = [PooledInstance(contextlib.AsyncExitStack(), Target("http://pooled")) for _ in range(2)]
        made.started[""] = asyncio.ensure_future(asyncio.sleep(0, Target("http://shared")))
        await made.started[""]
        await made.aclose()
        return virtual_time.now()

    monkeypatch.setattr(Target, "stop", stop)
    assert virtual_time.run(play()) == LAST_GRACE_S
    assert most == 3
