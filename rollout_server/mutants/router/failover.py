"""Defects of failover and resumed streams."""

from collections import Counter
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import Mutant, after, around, every, put
from rollout_conformance.rollout_server.router import errors, failover, routing, stream_migration, usage
from rollout_conformance.rollout_server.router import streaming as target
from rollout_conformance.rollout_server.router.backend_client import BackendError, BackendReply
from rollout_conformance.rollout_server.router.backend_pool import Backend, BackendPool
from rollout_conformance.rollout_server.router.failover import OpenResponse
from rollout_conformance.rollout_server.router.routing import Choice
from rollout_conformance.rollout_server.router.streaming import Stream


def _for_good(original: Any, self: BackendPool, backend: Backend) -> None:
    if backend.up is not False:
        original(self, backend)


async def _over_again(self: Stream) -> bool:
    """Another backend begins the stream again."""
    self.close()
    if not self.rest:
        return False
    body = failover.payload(usage.with_options(self.lifecycle.inference.body, self.usage_options))
    self.opened, self.closed = await failover.open_one(self.lifecycle, self.rest.pop(0), body, True), False
    return self.opened.chunks is not None


async def _told_at_once(original: Any, self: BackendReply, limit: int) -> bytes:
    """A whole response that breaks off is the end of the request."""
    try:
        body: bytes = await original(self, limit)
    except BackendError as error:
        raise errors.all_backends_failed([error.failure]) from error
    return body


def _from_the_start(body: Any, progress: Any) -> dict[str, Any]:
    return dict(body)


async def _notes_rejections(original: Any, lifecycle: Any, choice: Choice, *more: Any) -> OpenResponse:
    """A backend counts as broken after ten 4xx without a success between them."""
    opened: OpenResponse = await original(lifecycle, choice, *more)
    backend = choice.backend
    _rejections[backend.spec.name] = _rejections[backend.spec.name] + 1 if opened.reply.status >= 400 else 0
    return opened


def _few_rejections(found: list[Choice]) -> list[Choice]:
    return [choice for choice in found if _rejections[choice.backend.spec.name] < 10]


async def _tries_thrice(original: Any, *arguments: Any) -> OpenResponse:
    """The client that requests are sent with makes three attempts of each."""
    for _ in range(2):
        try:
            return await original(*arguments)  # type: ignore[no-any-return]
        except BackendError:
            continue
    return await original(*arguments)  # type: ignore[no-any-return]


def _leaks_streams(original: Any, self: OpenResponse) -> None:
    """The load of a backend does not fall after a stream."""
    load = self.choice.backend.running
    original(self)
    if self.chunks is not None:
        self.choice.backend.running = load


_rejections: Counter[str] = Counter()

MUTANTS = (
    Mutant(
        "rejections_are_failures",
        breaks="004",
        what="a backend that returned ten 4xx receives no requests",
        patch=every(
            around(failover, "open_one", _notes_rejections),
            after(routing, "choices", _few_rejections),
        ),
    ),
    Mutant(
        "load_never_falls",
        breaks="017",
        also=("032", "033", "061"),
        what="the backend with the least load receives each request, and the load does not fall after a stream",
        patch=every(
            around(OpenResponse, "close", _leaks_streams),
            after(routing, "choices", lambda found: sorted(found, key=lambda choice: choice.backend.running)),
        ),
    ),
    Mutant(
        "failover_missing",
        breaks="003",
        also=("004", "035", "036", "047", "048", "061", "070", "072"),
        what="only one backend is tried",
        patch=after(routing, "choices", lambda found: found[:1]),
    ),
    Mutant(
        "retries_multiplied",
        breaks="074",
        also=("061",),
        what="each of three attempts is made three times",
        patch=every(
            around(failover, "open_one", _tries_thrice),
            after(routing, "choices", lambda found: [*found, *found][:3]),
        ),
    ),
    Mutant(
        "half_a_body_is_final",
        breaks="070",
        what="a whole response that breaks off is answered with 502, without failover",
        patch=around(BackendReply, "read_all", _told_at_once),
    ),
    Mutant(
        "stream_done_invented",
        breaks="007",
        what="a truncated stream ends with [DONE]",
        patch=put(target, "interrupted_event", lambda: b"data: [DONE]\n\n"),
    ),
    Mutant(
        "stream_cut_silently",
        breaks="007",
        what="a truncated stream ends without an error",
        patch=put(target, "interrupted_event", lambda: b": \n\n"),
    ),
    Mutant(
        "failover_after_bytes",
        breaks="007",
        also=("015", "036"),
        what="another backend begins the stream again",
        patch=put(Stream, "_migrate", _over_again),
    ),
    Mutant(
        "model_anywhere",
        breaks="031",
        what="any backend is used for any model",
        patch=put(routing, "serving", lambda all_, _: list(all_)),
    ),
    Mutant(
        "migration_repeats",
        breaks="036",
        what="a resumed stream repeats the text",
        patch=put(stream_migration, "body", _from_the_start),
    ),
    Mutant(
        "migration_loses_spaces",
        breaks="036",
        what="a resumed stream loses white space",
        patch=around(
            stream_migration, "without_trailing_space", lambda original, *arguments: original(*arguments).strip()
        ),
    ),
    Mutant(
        "migration_counts_a_part",
        breaks="036",
        what="usage of a resumed stream is that of the last backend",
        patch=put(stream_migration, "total_usage", lambda usage, _: dict(usage)),
    ),
    Mutant(
        "down_for_good",
        breaks="047",
        also=("046",),
        what="a backend that was down stays down",
        patch=around(BackendPool, "answered", _for_good),
    ),
    Mutant(
        "decision_always_primary",
        breaks="061",
        what="a failover is labelled PRIMARY",
        patch=after(routing, "choices", lambda found: [routing.Choice(one.backend, "PRIMARY") for one in found]),
    ),
)
