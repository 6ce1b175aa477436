"""A target with room for two models: those that ended cases have left are unloaded when it rejects another one."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.profiles.training.card import TrainingCard
from rollout_conformance.steps.profiles.training.context import Book, LeftModels, TrainingContext, TrainingSession
from rollout_conformance.steps.profiles.training.models import CreateModel

ROOM = 2


def answered(status: int, body: object) -> httpx.Response:
    async def sent() -> AsyncIterator[bytes]:
        yield json.dumps(body).encode()

    return httpx.Response(status, content=sent())


class Target:
    """Creates models at once, as long as there is room."""

    def __init__(self) -> None:
        self.made = 0
        self.loaded: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, body = request.url.path.rpartition("/")[2], json.loads(request.content)
        if path == "create_session":
            return answered(200, {"session_id": "s"})
        if path == "unload_model":
            self.loaded.remove(body["model_id"])
            return answered(200, {})
        if len(self.loaded) == ROOM:
            return answered(400, {"detail": "Maximum number of LoRA adapters reached"})
        self.made += 1
        self.loaded.append(f"m{self.made}")
        return answered(200, {"model_id": self.loaded[-1]})


async def created(target: Target, cases: int, card: TrainingCard) -> list[bool]:
    """Whether each of so many cases, one after the other, got its model."""
    left = LeftModels()
    found = []
    for _ in range(cases):
        client = http_client.client(transport=httpx.MockTransport(target))
        session: TrainingSession = Session("http://target", client, Trace(), 2.0, 0.0)
        session.context = TrainingContext(card, None, "tinker-json", "base", left=left)
        await CreateModel().perform(session)
        book = session.state.get("book")
        found.append(isinstance(book, Book) and "a" in book.models)
        await session.close()
    return found


@pytest.mark.parametrize("unloads", [True, False])
def test_models_of_ended_cases_give_way(unloads: bool) -> None:
    target = Target()
    card = TrainingCard(capabilities=["unload"] if unloads else [])
    assert asyncio.run(created(target, 5, card)) == [True, True, unloads, unloads, unloads]
    assert len(target.loaded) == (1 if unloads else ROOM)


async def created_at_once(target: Target, cases: int, each: int) -> list[int]:
    """How many models each of so many cases got that begin together and create so many."""
    left, card = LeftModels(), TrainingCard(capabilities=["unload"])

    async def played() -> int:
        client = http_client.client(transport=httpx.MockTransport(target))
        session: TrainingSession = Session("http://target", client, Trace(), 2.0, 0.0)
        session.context = TrainingContext(card, None, "tinker-json", "base", left=left, creates=each)
        for name in "ab"[:each]:
            await CreateModel(model=name).perform(session)
        book = session.state.get("book")
        await session.close()
        return len(book.models) if isinstance(book, Book) else 0

    await played()  # the first case leaves models on the target, and the second one finds no room
    await played()
    return await asyncio.gather(*(played() for _ in range(cases)))


@pytest.mark.parametrize("each", [1, 2])
def test_cases_wait_for_their_turn(each: int) -> None:
    """None holds a model and waits for another one for ever."""
    assert asyncio.run(created_at_once(Target(), 6, each)) == [each] * 6
