"""Defects of rate limits and token budgets."""

import asyncio
import math
from dataclasses import replace
from typing import Any

from starlette.requests import Request

from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.router import api_keys, app_state, rate_limit, request_auth
from rollout_conformance.rollout_server.router.api_keys import Key
from rollout_conformance.rollout_server.router.rate_limit import Bucket, LimitState
from rollout_conformance.rollout_server.router.request_lifecycle import RequestLifecycle
from rollout_conformance.rollout_server.router.usage import TokenUsage
from rollout_conformance.rollout_server.router.write_buffer import WriteBuffer

RACE_S = 0.05  # between the check and the decrement


def _racy(self: Bucket, now: float) -> LimitState:
    self.refill(now)
    allowed = self.level >= 1
    if allowed:
        asyncio.get_running_loop().call_later(RACE_S, _take, self)
    return self.state(allowed)


def _take(bucket: Bucket) -> None:
    bucket.level = max(0.0, bucket.level - 1)


def _streams_are_free(original: Any, self: RequestLifecycle, status: int, outcome: str) -> None:
    if self.inference.streams:
        self.tokens = TokenUsage()
    original(self, status, outcome)


async def _free_bearer(original: Any, request: Request, scope: str | None) -> Key:
    key: Key = await original(request, scope)
    return replace(key, rps=None, budget_tokens=None) if "authorization" in request.headers else key


MUTANTS = (
    Mutant(
        "limit_racy", breaks="019", what="concurrent requests take the same token", patch=put(Bucket, "take", _racy)
    ),
    Mutant(
        "limit_starves",
        breaks="019",
        what="frequent requests prevent the refill",
        patch=put(rate_limit, "refilled", lambda level, rps, burst, s: min(burst, level + math.floor(s) * rps)),
    ),
    Mutant(
        "limit_never_refills",
        breaks="019",
        what="the bucket never refills",
        patch=put(rate_limit, "refilled", lambda level, *_: level),
    ),
    Mutant(
        "remaining_negative",
        breaks="019",
        what="X-RateLimit-Remaining is one too low",
        patch=put(rate_limit, "remaining", lambda x: math.floor(x) - 1),
    ),
    Mutant(
        "retry_after_zero", breaks="019", what="Retry-After is 0", patch=put(rate_limit, "retry_after", lambda *_: 0)
    ),
    Mutant(
        "bearer_not_counted",
        breaks="019",
        also=("021",),
        what="Bearer keys have no limits",
        patch=around(request_auth, "authenticate", _free_bearer),
    ),
    Mutant(
        "limits_shared",
        breaks="020",
        what="all keys share one bucket",
        patch=put(app_state, "bucket_name", lambda _: "all"),
    ),
    Mutant(
        "budget_unchecked",
        breaks="021",
        what="the token budget is not checked",
        patch=put(api_keys, "check_budget", lambda _: None),
    ),
    Mutant(
        "budget_not_counted",
        breaks="021",
        what="tokens are not counted towards the budget",
        patch=put(WriteBuffer, "spend", lambda *_: None),
    ),
    Mutant(
        "budget_ignored_in_streams",
        breaks="021",
        also=("063",),
        what="tokens of streams are not counted",
        patch=around(RequestLifecycle, "end", _streams_are_free),
    ),
)
