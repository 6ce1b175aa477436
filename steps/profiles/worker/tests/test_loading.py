"""A worker that was just started is judged when it has loaded its model."""

import asyncio

import httpx
import pytest

from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers.tokens import load
from rollout_conformance.steps.profiles.base import Setting
from rollout_conformance.steps.profiles.worker.peers import WorkerPeers


def looks(statuses: list[int], variant: str, start_s: float = 20.0) -> int:
    """How many health checks are sent to a worker that was just started and answers them with these statuses, the last one again and again."""
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        return httpx.Response(statuses[min(len(sent), len(statuses)) - 1])

    async def wait() -> None:
        card = Card.model_validate({"start_s": start_s})
        setting = Setting("cmd:worker", card, None, None, None, ("127.0.0.1", 0), "loading")
        peers = WorkerPeers(setting, load(TOKENIZER))
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            await peers.served(client, "http://worker", variant)

    asyncio.run(wait())
    assert set(sent) <= {"/health"}
    return len(sent)


@pytest.mark.parametrize("variant", ["", "one_slot"])
def test_a_worker_that_loads_its_model_is_waited_for(variant: str) -> None:
    assert looks([503, 503, 200], variant) == 3
    assert looks([404], variant) == 1


def test_one_whose_loading_is_judged_is_not() -> None:
    assert looks([503, 503, 200], "loading") <= 1


def test_one_that_is_never_ready_is_judged_all_the_same() -> None:
    assert looks([503], "", start_s=0.3) > 1
