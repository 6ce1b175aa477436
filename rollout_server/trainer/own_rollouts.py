"""Rollouts that the trainer starts by itself, some of each dialect at a time, one after the other until it stops."""

import asyncio
import itertools
import secrets

from rollout_conformance.rollout_server.trainer import start_request
from rollout_conformance.rollout_server.trainer.service import Service
from rollout_conformance.rollout_server.trainer.start_request import StartPlan

PAUSE_S = 1.0  # after a rollout that failed: the rollout server may not be there yet
SAMPLING = {"temperature": 0.7, "top_p": 0.9, "max_tokens": 512, "logprobs": True}


class OwnRollouts:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._numbers = itertools.count(1)
        self._run = secrets.token_hex(4)
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        settings = self._service.app_state.settings
        self._service.address = asyncio.get_running_loop().create_future()
        if settings.public_url is not None:
            self._service.address.set_result(settings.public_url)
        dialects = [dialect for dialect in settings.dialects for _ in range(settings.width)]
        self._tasks = [asyncio.ensure_future(self._one_by_one(dialect)) for dialect in dialects]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _one_by_one(self, dialect: str) -> None:
        assert self._service.address is not None
        own_url = await asyncio.shield(self._service.address)
        while True:
            session = self._service.start(self._plan(dialect, own_url))
            await session.ended.wait()
            if session.status == "ERROR" and not session.turns:
                await asyncio.sleep(PAUSE_S)

    def _plan(self, dialect: str, own_url: str) -> StartPlan:
        settings = self._service.app_state.settings
        name = f"own-{self._run}-{next(self._numbers)}"
        body = {
            "rollout_id": name,
            "dialect": dialect,
            "server_url": settings.rollout_server or "http://127.0.0.1:9000",
            "messages": [
                {"role": "system", "content": f"You are a helpful calculator assistant. Session {name}."},
                {"role": "user", "content": "Please calculate 5 plus 3."},
            ],
            "sampling_params": SAMPLING,
            "max_turns": 10,
        }
        tokenizer = settings.tokenizer_name or str(settings.tokenizer.resolve())
        return start_request.read(body, own_url, tokenizer, settings.rollout_id_in)
