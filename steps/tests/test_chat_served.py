"""An instance that was just started for a case: it is waited for until it serves its model."""

import asyncio

import httpx
import pytest

from rollout_conformance.steps.profiles.base import Setting
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.peers import ChatPeers


def greetings(*statuses: int, start_s: float = 30.0) -> list[str]:
    """What was asked of a server that answers with these statuses, the last one again and again."""
    left, asked = list(statuses), []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(left.pop(0) if len(left) > 1 else left[0])

    setting = Setting("cmd:it", ChatCard(start_s=start_s), None, None, None, ("127.0.0.1", 0), "run")
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    asyncio.run(ChatPeers(setting, None, None).served(client, "http://it", ""))
    return asked


def test_a_frontend_without_its_worker_is_waited_for() -> None:
    assert greetings(404, 503, 200) == ["/v1/chat/completions"] * 3


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_any_other_answer_is_that_of_a_server_that_serves(status: int) -> None:
    assert len(greetings(status)) == 1


def test_one_that_never_serves_is_for_the_cases_to_judge() -> None:
    assert greetings(404, start_s=0.3)
