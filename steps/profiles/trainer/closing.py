"""The end of rollouts that the trainer started of its own accord: whatever a case leaves open is ended after it, so that the trainer goes on."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx

from rollout_conformance.steps.engine import http_client
from rollout_conformance.steps.http.keys import bearer
from rollout_conformance.steps.peers.arriving_starts import ArrivingStarts
from rollout_conformance.steps.profiles.trainer.rollout_naming import naming
from rollout_conformance.steps.profiles.trainer.state import RolloutState

END_S = 5.0  # for one completed callback, and for all that are left at the end of a run


@dataclass(slots=True)
class Closing:
    starts: ArrivingStarts
    client: httpx.AsyncClient
    place: str
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    def end_after(self, gate: asyncio.Event, part: RolloutState) -> None:
        """End a rollout once the session of its case is closed."""
        task = asyncio.ensure_future(self._end(gate, part))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end(self, gate: asyncio.Event, part: RolloutState) -> None:
        await gate.wait()
        hosted = part.hosted
        assert hosted is not None
        self.starts.running.pop(part.rollout_id, None)
        if hosted.dialect == "sync":
            if not hosted.ended.is_set():
                hosted.result = json.dumps(result(part)).encode()
                hosted.ended.set()
        elif hosted.accepted and not part.reported:
            await self._report(part)

    async def _report(self, part: RolloutState) -> None:
        name = naming(self.place, part, part.rollout_id)
        headers = bearer(part.hosted.key if part.hosted else None) | dict(name.headers)
        url = f"{name.base_url}{name.path}/v1/rollout/completed"
        with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError):
            async with asyncio.timeout(END_S):
                await self.client.post(url, json=result(part), headers=headers)

    async def finish(self) -> None:
        """Give what is being ended a moment to end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_S)
        for task in self._tasks:
            task.cancel()


def result(part: RolloutState) -> dict[str, object]:
    """What a rollout comes to that its case did not end itself."""
    ended = {"status": "COMPLETED"} if part.answered else {"status": "ERROR", "error_message": "Not run."}
    return {
        "rollout_id": part.rollout_id,
        "final_messages": part.history,
        "finish_reason": "stop" if part.answered else "error",
        "metrics": {"num_llm_calls": len(part.calls), "num_tool_calls": 0},
        "extra_fields": {},
        **ended,
    }


@contextlib.asynccontextmanager
async def closing(starts: ArrivingStarts, place: str) -> AsyncIterator[Closing]:
    """`place` is where a request names its rollout."""
    async with http_client.client() as client:
        one = Closing(starts, client, place)
        try:
            yield one
        finally:
            await one.finish()
