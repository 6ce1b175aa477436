"""To make one call of a training API: the request is sent, its future is polled until it has a result, and the response is kept.

A future is a long poll. A server that does not hold the poll is polled more and more slowly; after the patience of the case the call is
pending, and the judge decides what that means.
"""

import asyncio
from dataclasses import dataclass, field, replace
from time import monotonic

from rollout_conformance.steps.engine.trace import Exchange, NotJson, Request, Response
from rollout_conformance.steps.http.responses import body_of, responses_of
from rollout_conformance.steps.profiles.training.accounting import Row
from rollout_conformance.steps.profiles.training.context import RIGHT, TrainingSession
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.wire import Call, Data

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.25
PATIENCES = 3  # a queue in front of the target is a right it has
SUBMIT_S = 1.0  # how long the case waits for the response to a submit before the next one is sent
LOST_S = 0.002  # after so long a connection is given up that a case loses
HANDED = "-"  # requests that belong to no rollout


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a call is, for the checks of its response."""

    verb: str
    model: str = ""
    data: Data = field(default_factory=Data)
    internal: bool = False

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.data.rows


async def sent(session: TrainingSession, call: Call, key: str = RIGHT, raw: bytes | None = None) -> Exchange:
    """One request of the case; the exchange with whatever became of it."""
    request = request_of(session, call, key)
    n = await session.send(request if raw is None else replace(request, body=raw), rollout=HANDED)
    return session.trace.exchanges[n]


def request_of(session: TrainingSession, call: Call, key: str) -> Request:
    """The request of a call, with a key of this kind."""
    encoded = session.context.wire.encoded(call)
    headers = headers_of(session, key, encoded.content_type)
    accept = (("accept", encoded.accept),) if encoded.accept else ()
    return Request(call.method, call.path, (*headers, *accept), encoded.body)


def headers_of(
    session: TrainingSession, key: str, content_type: str = "application/json"
) -> tuple[tuple[str, str], ...]:
    """The headers of a request with a key of this kind."""
    value = session.context.key(key)
    found = {} if value is None else session.context.wire.key(value)
    return (("content-type", content_type), *found.items())


async def made(session: TrainingSession, name: str, call: Call, meaning: Meaning, key: str = RIGHT) -> TrainingResponse:
    """The response to a call, kept under a name, when its result is there."""
    return await followed(session, await submitted(session, name, call, meaning, key), key)


async def submitted(
    session: TrainingSession, name: str, call: Call, meaning: Meaning, key: str = RIGHT
) -> TrainingResponse:
    """The response to the submit of a call, kept under a name. Its future, if it has one, has not been polled."""
    submit = await sent(session, call, key)
    response = keep(session, name, submit, call, meaning)
    request_id = session.context.wire.request_id(response)
    if not request_id:
        return response
    return _kept(session, replace(response, request_id=request_id, submit=response, waited_s=0.0))


async def followed(session: TrainingSession, response: TrainingResponse, key: str = RIGHT) -> TrainingResponse:
    """The response with the result of its future, where it has one."""
    return await poll(session, response, key) if response.request_id else response


async def begun(session: TrainingSession, name: str, call: Call, meaning: Meaning, key: str) -> None:
    """Submit a call, and leave its result to a task of the case. A server may hold a submit that is early, which is waited for no longer
    than `SUBMIT_S`."""
    submit = session.spawn(submitted(session, name, call, meaning, key))
    await asyncio.wait({submit}, timeout=SUBMIT_S)

    async def follow() -> TrainingResponse:
        return await followed(session, await submit, key)

    session.spawn(follow())


async def given_up(session: TrainingSession, call: Call, key: str) -> None:
    """A request whose connection is closed before its response is there, as a network does. The target may have received it or not."""
    await session.send(request_of(session, call, key), rollout=HANDED, deadline_s=LOST_S)


async def poll(session: TrainingSession, response: TrainingResponse, key: str = RIGHT) -> TrainingResponse:
    """Poll the future of a response until it has a result; keep that under the same name."""
    began, pause = monotonic(), FIRST_PAUSE_S
    while True:
        exchange = await sent(session, session.context.wire.poll(response.request_id), key)
        found = with_result(response, exchange, session)
        if not session.context.wire.pending(found):
            return _kept(session, found)
        waited = monotonic() - began - session.late(began)
        if waited > session.patience_s * PATIENCES:
            return _kept(session, replace(found, waited_s=waited))
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)


def with_result(response: TrainingResponse, exchange: Exchange, session: TrainingSession) -> TrainingResponse:
    """The response to a submit with what its future returned."""
    reply: Response | None = exchange.response
    return replace(
        response,
        n=exchange.n,
        status=reply.status if reply else None,
        body=_body(response.verb, exchange, session),
        raw=reply.body if reply else b"",
        headers=reply.headers if reply else (),
        fault=exchange.fault,
        elapsed_s=exchange.elapsed_s,
        late_s=session.late(session.trace.epoch + exchange.began),
        waited_s=None,
    )


def _body(verb: str, exchange: Exchange, session: TrainingSession) -> object:
    """The body of a response as JSON has it, a `NotJson` where it is neither JSON nor what the dialect has in its place."""
    reply = exchange.response
    if reply is None or not 200 <= reply.status < 300:
        return body_of(exchange)
    try:
        found = session.context.wire.result(verb, reply.header("content-type") or "", reply.body)
    except ValueError as error:
        return NotJson(str(error))
    return body_of(exchange) if found is None else found


def keep(session: TrainingSession, name: str, exchange: Exchange, call: Call, meaning: Meaning) -> TrainingResponse:
    """The response of an exchange, kept under a name."""
    empty = TrainingResponse(name, exchange.n, call.body or {}, None, None, verb=meaning.verb)
    found = with_result(empty, exchange, session)
    data = meaning.data
    return _kept(
        session,
        replace(
            found,
            dialect=session.context.dialect,
            verb=meaning.verb,
            model=meaning.model,
            rows=data.rows,
            loss=data.loss,
            config=data.config or {},
            internal=meaning.internal,
        ),
    )


def _kept(session: TrainingSession, response: TrainingResponse) -> TrainingResponse:
    """What only prepares a case is kept without a place among the requests of the case."""
    kept = responses_of(session)
    if response.internal:
        kept.by_name[response.name] = response
    else:
        kept.keep(response)
    return response


def response_named(session: TrainingSession, name: str) -> TrainingResponse | None:
    """The response that a word of the case means, None where there is none."""
    found: list[TrainingResponse] = responses_of(session).named(name)
    return found[-1] if found else None
