"""Models that cases have on the target, and what is done where it has no room for another one.

A target with room for a few adapters rejects the next model. It is then asked to unload those of ended cases; where there are none, an end is
waited for. From then on a case waits for its turn before its first model, until all that it will create have room: cases that hold a model and
wait for one more would wait for each other.
"""

import asyncio
import contextlib
from time import monotonic

import httpx

from rollout_conformance.steps.engine.http_client import url
from rollout_conformance.steps.engine.lenient_json import mapping, text
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.profiles.training.calls import request_of
from rollout_conformance.steps.profiles.training.context import Model, TrainingSession
from rollout_conformance.steps.profiles.training.wire import Call, TinkerJson

UNLOAD_S = 5.0  # for each of them
END_OF_CASE = "the end of the case"  # a gate of the session, which is opened when it is closed
MOST_WAIT_S = 60.0  # for the turn of a case: far less than a case may take


def note(session: TrainingSession, model: Model) -> None:
    """Count a model among those that its case will leave on the target."""
    session.context.left.models.append((model, session.hold(END_OF_CASE)))


async def turn(session: TrainingSession) -> None:
    """Wait until the target has room for all models of the case, where it is known to have little. A case that needs more than there is
    waits until it is the only one."""
    left, own, wanted = session.context.left, session.hold(END_OF_CASE), session.context.creates
    if any(end is own for end, _ in left.cases):
        return
    until = monotonic() + MOST_WAIT_S
    while left.room is not None and left.held() and left.held() + wanted > left.room:
        if not await _ended(left.gates(), until - monotonic()):
            break
    left.cases.append((own, wanted))


async def room_made(session: TrainingSession) -> bool:
    """Whether models of ended cases were unloaded, so that a rejected one may be created now. Where the target has `unload_model`."""
    left, own = session.context.left, session.hold(END_OF_CASE)
    if not isinstance(session.context.wire, TinkerJson) or not session.context.card.declares("unload"):
        return False
    others = [end for _, end in left.models if end is not own]
    if not any(end.is_set() for end in others):
        await _ended(others, session.patience_s)
    return await _unload_ended(session)


async def _ended(gates: list[asyncio.Event], within_s: float) -> bool:
    """Whether one of these cases ended within a time."""
    if not gates or within_s <= 0:
        return False
    waits = [asyncio.ensure_future(gate.wait()) for gate in gates]
    try:
        done, _ = await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
    return bool(done)


async def _unload_ended(session: TrainingSession) -> bool:
    """Whether there were any. What the target answers is not judged here, and in no trace."""
    wire, left = session.context.wire, session.context.left
    assert isinstance(wire, TinkerJson)
    ended = [model for model, end in left.models if end.is_set()]
    left.models[:] = [(model, end) for model, end in left.models if not end.is_set()]
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
