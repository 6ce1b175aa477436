"""Gathers the outcomes of all parts of a run; a part whose worker died is played once more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.ray_cluster.cluster import WorkerDied
from rollout_conformance.steps.ray_cluster.messages import Message, PlayedCase, ShardBegun, ShardRequest

ATTEMPTS = 2


class Workers(Protocol):
    def messages(self, request: ShardRequest) -> AsyncIterator[Message]: ...


@dataclass(slots=True)
class Gathering:
    """`begun` is called when a worker is ready, `played` with each outcome once, `note` with what the user should know."""

    workers: Workers
    begun: Callable[[ShardBegun], None]
    played: Callable[[PlayedCase], None]
    note: Callable[[str], None]
    done: set[str] = field(default_factory=set)

    async def all_of(self, requests: list[ShardRequest]) -> None:
        """Side by side. Raises `SuiteError` when a part could not be judged."""
        async with asyncio.TaskGroup() as group:
            for request in requests:
                group.create_task(self._part(request))

    async def _part(self, request: ShardRequest) -> None:
        node = "a worker that had not begun"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async for message in self.workers.messages(replace(request, without=frozenset(self.done))):
                    if isinstance(message, ShardBegun):
                        node = f"the worker on {message.node}"
                    self._told(message)
                return
            except WorkerDied as error:
                if attempt == ATTEMPTS:
                    raise SuiteError(f"{request} was given up: {node} died too ({error})") from error
                self.note(f"{node} died in {request} ({error}); what it had not told is played again")

    def _told(self, message: Message) -> None:
        if isinstance(message, ShardBegun):
            self.begun(message)
        elif message.case_id not in self.done:
            self.done.add(message.case_id)
            self.played(message)
