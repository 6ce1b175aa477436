"""Defects of limits and budgets: requests and tokens counted wrongly, or for the wrong key."""

import asyncio
import math
from typing import Any

from rollout_conformance.rollout_server.mutants.framework import around, put
from rollout_conformance.rollout_server.mutants.router.planting import mutant
from rollout_conformance.rollout_server.router import api_keys, app_state, planner, rate_limit
from rollout_conformance.rollout_server.router.app_state import Kit
from rollout_conformance.rollout_server.router.rate_limit import Bucket, Taken
from rollout_conformance.rollout_server.router.request_lifecycle import Run
from rollout_conformance.rollout_server.router.usage import Tally
from rollout_conformance.rollout_server.router.write_buffer import Book

RACE_S = 0.05  # between looking and taking


def _racy(self: Bucket, now: float) -> Taken:
    self.refill(now)
    allowed = self.level >= 1
    if allowed:
        asyncio.get_running_loop().call_later(RACE_S, _take, self)
    return self.taken(allowed)


def _take(bucket: Bucket) -> None:
    bucket.level = max(0.0, bucket.level - 1)


def _streams_are_free(original: Any, self: Run, status: int, outcome: str) -> None:
    if self.asked.streams:
        self.tally = Tally()
    original(self, status, outcome)


def _unbounded(self: Kit) -> None:
    self.running += 1


MUTANTS = (
    mutant("limit_racy", "requests at the same time get the same token", put(Bucket, "take", _racy), "019"),
    mutant(
        "limit_starves",
        "who asks often never gets a token again",
        put(rate_limit, "refilled", lambda level, rps, burst, s: min(burst, level + math.floor(s) * rps)),
        "019",
    ),
    mutant("limit_never_refills", "a burst, and no more", put(rate_limit, "refilled", lambda level, *_: level), "019"),
    mutant(
        "remaining_negative", "less than none remain", put(rate_limit, "remaining", lambda x: math.floor(x) - 1), "019"
    ),
    mutant("retry_after_zero", "try again at once", put(rate_limit, "retry_after", lambda *_: 0), "019"),
    mutant("limits_shared", "all keys take from one bucket", put(app_state, "name_of", lambda _: "all"), "020"),
    mutant("budget_unchecked", "a budget never ends", put(api_keys, "check_budget", lambda _: None), "021"),
    mutant(
        "budget_not_counted",
        "tokens are not taken from the budget",
        put(Book, "spend", lambda *_: None),
        "021",
    ),
    mutant("budget_ignored_in_streams", "streams are free", around(Run, "end", _streams_are_free), "021"),
    mutant("overload_unlimited", "any number of requests runs", put(Kit, "enter", _unbounded), "037"),
    mutant("planner_always_holds", "no advice is ever given", put(planner, "advice", lambda *_: "hold"), "039"),
)
