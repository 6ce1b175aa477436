"""How start requests are sent: the trainer learns of a rollout before the server does, and a busy server is sent the request again later."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

from rollout_conformance.steps.engine.trace import Headers, Request, Response
from rollout_conformance.steps.http.keys import bearer
from rollout_conformance.steps.peers.script import Script
from rollout_conformance.steps.peers.token_oracle import sampled_by
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.peers.trainer import Enrolled
from rollout_conformance.steps.profiles.rollout.context import CaseContext, RolloutSession, RolloutState, rollout_state
from rollout_conformance.steps.profiles.rollout.result_client import begin_to_poll
from rollout_conformance.steps.profiles.rollout.start_request import (
    START_PATH,
    STREAMED,
    StartOverrides,
    StartRequest,
    compose,
)

RETRY_AFTER_S = 0.2  # until a start request is sent again to a busy server without Retry-After
LONGEST_RETRY_AFTER_S = 5.0


def register_rollout(session: RolloutSession, state: RolloutState) -> StartRequest:
    """Make the trainer know a rollout before the server does: a generation request may come before the response to the start request."""
    context: CaseContext = session.context
    tokenizer, name = context.tokens_for(state.overrides)
    nonce = context.nonce()
    number = int(nonce.rpartition("-")[2].rstrip("x"))
    script = context.resolved(state.script, number % 89)
    overrides = _resolved(session, state.overrides, script, tokenizer)
    given = compose(context.dialect, state.label, nonce, context.trainer_url, name, overrides)
    register_as(session, state, given, tokenizer, script)
    return given


def register_as(
    session: RolloutSession, state: RolloutState, given: StartRequest, tokenizer: Tokens, script: Script
) -> None:
    """Make the trainer know the rollout `given`, for which it follows `script`."""
    context: CaseContext = session.context
    state.given = given
    state.enrolled = Enrolled(
        label=state.label,
        rollout_id=given.rollout_id,
        key=given.key,
        nonce=given.nonce,
        trace=session.trace,
        tokens=tokenizer,
        script=script,
        gate=session.hold,
        tools=context.tool_schemas(),
        sampled=bool(session.state.get("sampled")),
        streams=context.dialect in STREAMED,
    )
    context.trainer.enroll(state.enrolled)


def _resolved(session: RolloutSession, overrides: StartOverrides, script: Script, tokenizer: Tokens) -> StartOverrides:
    """The overrides with everything filled in that only a running case knows."""
    body = dict(overrides.body)
    if overrides.budget is not None:
        first, more = overrides.budget
        body["max_tokens_total"] = sampled_by(tokenizer, script.lines[:first], session.context.tool_schemas()) + more
    return replace(overrides, body=with_key(session, body))


def with_key(session: RolloutSession, body: Mapping[str, object]) -> dict[str, object]:
    """The members with the `idempotency_key` that {unique: name} or {id_of: label} stands for."""
    key = body.get("idempotency_key")
    if isinstance(key, Mapping) and "unique" in key:
        session.state.setdefault("unique", session.context.nonce())
        return {**body, "idempotency_key": f"{key['unique']}-{session.state['unique'].rstrip('x')}"}
    if isinstance(key, Mapping) and "id_of" in key:
        other = rollout_state(session.state, str(key["id_of"])).given
        return {**body, "idempotency_key": other.rollout_id if other else ""}
    return dict(body)


async def send_start(
    session: RolloutSession,
    state: RolloutState,
    retry_when_busy: bool,
    change: Mapping[str, object] | None = None,
    headers: Headers | None = None,
) -> None:
    """Send a start request and wait for its response. In the sync dialect that comes at the end of the rollout, and is awaited here only where
    the trainer has nothing to generate, so that nothing the case does later can be what the rollout needs."""
    request = _start_request(session, state, change, headers)
    deferred = asyncio.Event()
    sending = session.spawn(_sent(session, state.label, request, retry_when_busy, deferred))
    state.sending.append(sending)
    if session.context.dialect == "sync" and state.script.lines:
        await asyncio.sleep(0)
        return
    # A busy server is sent the request again meanwhile; what the case does next may be what frees a slot.
    waiting = asyncio.ensure_future(deferred.wait())
    limit_s = session.patience_s if session.context.dialect == "sync" else None
    await asyncio.wait({sending, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=limit_s)
    waiting.cancel()


def _start_request(
    session: RolloutSession, state: RolloutState, change: Mapping[str, object] | None, headers: Headers | None
) -> Request:
    assert state.given is not None
    raw = state.overrides.raw
    body = raw if raw is not None else json.dumps({**state.given.body, **with_key(session, change or {})}).encode()
    credentials = authorization(session.context) if headers is None else headers
    return Request(
        "POST", START_PATH[session.context.dialect], (("content-type", "application/json"), *credentials), body
    )


async def _sent(
    session: RolloutSession, label: str, request: Request, retry_when_busy: bool, deferred: asyncio.Event
) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + session.patience_s * 6
    while True:
        n = await session.send(request, label, sent="StartSent")
        response = session.trace.exchanges[n].response
        if response is None or not _is_busy(response) or not retry_when_busy or loop.time() > end:
            break
        session.busy()
        deferred.set()
        await asyncio.sleep(_retry_after(response.header("retry-after")))
    if response is not None:
        record_start_response(session, label, n, response)


def record_start_response(session: RolloutSession, label: str, n: int, response: Response) -> None:
    """Record in the trace what the response to a start request means."""
    sync = session.context.dialect == "sync"
    # Any 2xx accepts a rollout: that it should have been a 202 is one breach, and no reason to miss all others.
    if response.status == 200 if sync else 200 <= response.status < 300:
        if session.context.dialect == "leased":
            begin_to_poll(session, label, response, authorization(session.context))
        session.trace.event(label, "server", "ResultReturned" if sync else "StartAccepted", n)
    elif _all_rejected(session, label):
        session.trace.event(label, "server", "StartRejected", n)


def _is_busy(response: Response) -> bool:
    """Whether the server wants a retry: 429, or 503 with a time."""
    return response.status == 429 or (response.status == 503 and response.header("retry-after") is not None)


def _all_rejected(session: RolloutSession, label: str) -> bool:
    starts = [e for e in session.trace.exchanges if e.to_target and e.rollout == label]
    return all(start.response is not None and not 200 <= start.response.status < 300 for start in starts)


def _retry_after(value: str | None) -> float:
    try:
        return min(max(float(value or RETRY_AFTER_S), 0.01), LONGEST_RETRY_AFTER_S)
    except ValueError:
        return RETRY_AFTER_S


def authorization(context: CaseContext) -> Headers:
    """The Authorization header of requests to the target."""
    return tuple(bearer(context.target_key).items())
