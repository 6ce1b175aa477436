"""How the result of a leased rollout is fetched: the trainer requests it with the lease of the 202 response until the rollout has ended."""

import asyncio
import math
from collections.abc import Mapping

from rollout_conformance.contracts.rollout.wire_leased import LEASE_HEADER, ResultReply
from rollout_conformance.steps.engine.http_client import path_segment
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import Headers, Request, Response, parse
from rollout_conformance.steps.profiles.rollout.context import RolloutSession, rollout_state

RUNNING, ENDED = ("queued", "running", "grading"), ("success", "failure", "cancelled")
DEFAULT_WAIT_S, GRACE_S = 30.0, 10.0  # where the 202 response gives no time; how much longer a response may take
LONGEST_WAIT_S = 600.0
TRY_AGAIN = (429, 502, 503, 504)
PAUSE_S = 0.2  # between two requests where the response to the first one came at once


def protocol_members(body: object) -> dict[str, object]:
    """What two responses with the same result have in common. A server may add members of its own, such as an elapsed time."""
    return {name: value for name, value in mapping(body).items() if name in ResultReply.model_fields}


def lease_of(response: Response) -> str | None:
    """The token in the response to a start request; None where there is none that a header can carry."""
    token = mapping(parse(response.body)).get("polling_lease_token")
    usable = isinstance(token, str) and token and token.isascii() and token.isprintable() and token == token.strip()
    return str(token) if usable else None


def wait_of(body: Mapping[str, object]) -> float:
    """How long the server keeps a request for a result open, by its 202 response."""
    seconds = body.get("result_wait_timeout_sec")
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds)
    return min(float(seconds), LONGEST_WAIT_S) if known and isinstance(seconds, int | float) else DEFAULT_WAIT_S


def result_path(rollout_id: str) -> str:
    return f"/rollout/{path_segment(rollout_id)}/result"


def lease_header(token: str) -> Headers:
    return ((LEASE_HEADER.lower(), token),)


def begin_to_poll(session: RolloutSession, label: str, response: Response, key: Headers) -> None:
    """Fetch the result in the background, once for each rollout, unless the case does not want it."""
    state = rollout_state(session.state, label)
    token = lease_of(response)
    if token is None or state.given is None or state.lease:
        return
    state.lease, state.wait_s = token, wait_of(mapping(parse(response.body)))
    if state.polls:
        session.spawn(_polled(session, label, token, state.wait_s, key))


async def _polled(session: RolloutSession, label: str, token: str, wait_s: float, key: Headers) -> None:
    given = rollout_state(session.state, label).given
    assert given is not None
    request = Request("GET", result_path(given.rollout_id), (*lease_header(token), *key), b"")
    loop = asyncio.get_running_loop()
    status: object = None
    while True:
        began = loop.time()
        n = await session.send(request, label, deadline_s=wait_s + GRACE_S, is_activity=False)
        response = session.trace.exchanges[n].response
        if response is not None and status != (status := mapping(parse(response.body)).get("status")):
            session.touch()  # the same status again is no progress: a rollout that never ends is not waited for as a slow one
        if response is not None and record_result(session, label, n, response):
            return
        if response is not None and not is_valid(response):  # what is wrong with it, a check reports
            rollout_state(session.state, label).unpolled = True
            session.trace.wake()
            return
        if response is None and session.trace.exchanges[n].fault is None:
            return
        if response is None or loop.time() - began < PAUSE_S:
            await asyncio.sleep(PAUSE_S)


def is_valid(response: Response) -> bool:
    """Whether a response to a request for a result shows how far the rollout is, or asks for another request."""
    known = mapping(parse(response.body)).get("status") in (*RUNNING, *ENDED)
    return response.status in TRY_AGAIN or (response.status == 200 and known)


def record_result(session: RolloutSession, label: str, n: int, response: Response) -> bool:
    """Note in the trace that a response has the result. Whether it has."""
    ended = response.status == 200 and mapping(parse(response.body)).get("status") in ENDED
    if ended:
        session.trace.event(label, "server", "ResultReturned", n)
    return ended
