"""Models that ended cases have left on the target. A target with room for a hundred adapters rejects the next one; it is then asked to unload
those, and to create the model again."""

import asyncio
import contextlib

import httpx

from rollout_conformance.steps.engine.http_client import url
from rollout_conformance.steps.engine.lenient_json import mapping, text
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.profiles.training.calls import request_of
from rollout_conformance.steps.profiles.training.context import Model, TrainingSession
from rollout_conformance.steps.profiles.training.wire import Call, TinkerJson

UNLOAD_S = 5.0  # for each of them
END_OF_CASE = "the end of the case"  # a gate of the session, which is opened when it is closed


def note(session: TrainingSession, model: Model) -> None:
    """Count a model among those that its case will leave on the target."""
    session.context.left.append((model, session.hold(END_OF_CASE)))


async def unload_left(session: TrainingSession) -> bool:
    """Whether there were any, and the target has `unload_model`. What it answers is not judged here, and in no trace."""
    wire, left = session.context.wire, session.context.left
    ended = [model for model, end in left if end.is_set()]
    if not isinstance(wire, TinkerJson) or not session.context.card.declares("unload"):
        return False
    left[:] = [(model, end) for model, end in left if not end.is_set()]
    for model in ended:
        with contextlib.suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(UNLOAD_S):
                request_id = await _sent(session, wire.unload(model.id), model.key)
                if request_id:
                    await _sent(session, wire.poll(request_id), model.key)
    return bool(ended)


async def _sent(session: TrainingSession, call: Call, key: str) -> str:
    """The id of the future in the response to a call."""
    request = request_of(session, call, key)
    target = url(session.target + request.path)
    response = await session.client.post(target, content=request.body, headers=dict(request.headers))
    return text(mapping(parse(response.content)).get("request_id"))
