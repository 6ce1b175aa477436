"""Traces of a few exchanges, for the tests that compare a run by script with a live one."""

import json
from collections.abc import Sequence
from typing import Any

from rollout_conformance.steps.engine.trace import Exchange, Request, Response, Trace
from rollout_conformance.steps.live.trainer import Drift
from rollout_conformance.steps.live.wire_diff import Allowed

CHAT, START, COMPLETED = "/v1/chat/completions", "/rollout", "/v1/rollout/completed"
NOTHING = Allowed()
DRIFT = Drift("r1", 5, tuple(range(20)), (*range(5), 99, *range(6, 20)))


def body(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def trace(*exchanges: tuple[str, Any, Any], took: Sequence[float] = ()) -> Trace:
    """(path, body of the request, body of the reply) of each exchange, and how long they took."""
    made = Trace()
    for n, (path, asked, replied) in enumerate(exchanges):
        response = None if replied is None else Response(200, (), body(replied))
        seconds = took[n] if n < len(took) else 0.01
        made.exchanges.append(
            Exchange(n, False, "", Request("POST", path, (), body(asked)), 1.0, response, None, 1.0 + seconds)
        )
    return made
