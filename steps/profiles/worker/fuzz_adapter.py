"""A generated job: it has an id of its own and few tokens, and its response is judged like any other.

What is wrong with a request stays wrong. What no schema can state is made right: a stop text has few bytes, and `top_k` is in any vocabulary.
"""

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.trace import NotJson, Request, Response, parse
from rollout_conformance.steps.http.responses import responses_of
from rollout_conformance.steps.profiles.parts import FuzzAdapter
from rollout_conformance.steps.profiles.worker.context import WorkerContext, WorkerSession, WorkerState
from rollout_conformance.steps.profiles.worker.dialects.base import Dialect
from rollout_conformance.steps.profiles.worker.events import Transcript
from rollout_conformance.steps.profiles.worker.generated_jobs import GENERATED, LONGEST_STOP, MOST_TOKENS
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.view import JobResponse
from rollout_conformance.steps.sse.parser import Parser
from rollout_conformance.steps.sse.streams import Chunk, event_data

GENERATED_NAME = "generated"  # the name of the response to a request that no case wrote
LARGEST_TOP_K = 100
REQUIRED = ("job_id", "prompt")
CANCELS = frozenset({"/cancel", "/abort_requests", "/abort_request"})


class Adapter(FuzzAdapter[WorkerState, WorkerContext]):
    """How the generated requests of this profile are adapted."""

    async def adapt_request(self, session: WorkerSession, generated: Any) -> str | None:
        """Change a case of schemathesis, whatever is right in it, so that a worker can execute it."""
        dialect = session.context.dialect
        if generated.path in _job_paths(dialect) and isinstance(generated.body, dict):
            known = GENERATED.get(dialect.name)
            generated.body = known.adapted(generated.body) if known else adapted_body(generated.body)
        return None

    async def ended(self, session: WorkerSession, n: int, request: Request, response: Response, start: bool) -> None:
        """Note the response. That to a job is judged as those of cases are."""
        await super().ended(session, n, request, response, start)
        context = session.context
        path = request.path.partition("?")[0]
        body = parse(request.body) if path in _job_paths(context.dialect) else None
        if isinstance(body, dict) and response.status == 200:
            responses_of(session).keep(generated_response(n, body, response, context, path))


def left_out(card: Card) -> frozenset[str]:
    """A worker that cancels no job by its id has no path for it."""
    return frozenset() if card.declares("cancel") else CANCELS


def _job_paths(dialect: Dialect) -> tuple[str, ...]:
    return tuple(one for one in (dialect.path, dialect.whole_path) if one)


def adapted_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request of the dialect `orcd` that is sent in place of `body`."""
    mine = {name: value for name, value in body.items() if value is not None or name in REQUIRED}
    if isinstance(mine.get("job_id"), str) and mine["job_id"]:
        mine["job_id"] = f"{mine['job_id'][:40]}-{uuid4().hex[:12]}"
    limit = mine.get("max_tokens", MOST_TOKENS)
    if _is_number(limit) and 1 <= limit <= 2048 and limit == int(limit):
        mine["max_tokens"] = min(int(limit), MOST_TOKENS)
    top_k = mine.get("top_k", 0)
    if _is_number(top_k) and top_k >= 0 and top_k == int(top_k):
        mine["top_k"] = min(int(top_k), LARGEST_TOP_K)
    if isinstance(mine.get("stop"), list):
        mine["stop"] = [one[:LONGEST_STOP] if isinstance(one, str) else one for one in mine["stop"]]
    return mine


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def generated_response(
    n: int, body: Mapping[str, Any], response: Response, context: WorkerContext, path: str
) -> JobResponse:
    """A response as the checks read it."""
    dialect = context.dialect
    streams = path != dialect.whole_path or (dialect.path == dialect.whole_path and body.get("stream") is True)
    known = GENERATED.get(dialect.name)
    chunks: tuple[Chunk, ...] = ()
    if streams:
        chunks = tuple(Chunk(0.0, event_data(one.data), one.event) for one in Parser().feed(response.body))
    found = NotJson("it is a stream") if streams else parse(response.body)
    return JobResponse(
        GENERATED_NAME,
        n,
        dict(body),
        response.status,
        found,
        chunks,
        raw=response.body,
        headers=response.headers,
        spec=known.spec(body, streams=streams) if known else _spec(body),
        dialect=dialect,
        transcript=_transcript(dialect, chunks, found, context, streams=streams),
        read_at=time.time(),
    )


def _transcript(
    dialect: Dialect, chunks: tuple[Chunk, ...], found: object, context: WorkerContext, *, streams: bool
) -> Transcript:
    if not streams:
        return dialect.read_whole(found)
    return dialect.read(chunks, context.framing) if chunks else Transcript()


def _spec(body: Mapping[str, Any]) -> JobSpec:
    limit, stop = body.get("max_tokens"), body.get("stop")
    return JobSpec(
        str(body.get("job_id")),
        str(body.get("prompt")),
        max_tokens=limit if type(limit) is int else None,
        temperature=body.get("temperature", 1.0),
        stop=tuple(one for one in stop if isinstance(one, str)) if isinstance(stop, list) else (),
    )
