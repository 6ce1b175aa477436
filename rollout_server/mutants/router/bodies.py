"""Defects of the bytes of bodies, as bug reports describe them: torn characters, an empty second attempt, the length of another body."""

from typing import Any

from rollout_conformance.rollout_server.common import sse
from rollout_conformance.rollout_server.mutants.framework import Mutant, around
from rollout_conformance.rollout_server.router import failover
from rollout_conformance.rollout_server.router.request_lifecycle import RequestLifecycle


def _decoded_alone(original: Any, self: sse.Splitter, chunk: bytes) -> list[bytes]:
    """Each packet is decoded for itself, so that a character that is torn between two becomes U+FFFD."""
    return list(original(self, chunk.decode("utf-8", "replace").encode()))


async def _empty_after_a_failure(
    original: Any, lifecycle: RequestLifecycle, choice: Any, body: bytes, streams: bool
) -> Any:
    return await original(lifecycle, choice, b"" if lifecycle.attempts else body, streams)


MUTANTS = (
    Mutant(
        "characters_torn",
        breaks="015",
        also=("002", "036", "066"),
        what="each packet of a stream is decoded for itself",
        patch=around(sse.Splitter, "feed", _decoded_alone),
    ),
    Mutant(
        "second_attempt_empty",
        breaks="003",
        also=("001", "002", "004", "005", "006", "015", "035", "036", "047", "048", "059", "060", "061", "070", "072"),
        what="the second attempt has an empty body",
        patch=around(failover, "open_one", _empty_after_a_failure),
    ),
)
