"""Defects of retries and failures of the trainer."""

from typing import Any

from rollout_conformance.rollout_server.mutants.dialects import CALLBACK, SYNC
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, put
from rollout_conformance.rollout_server.mutants.rollout.patches import after_retries, newest_attempt
from rollout_conformance.rollout_server.rollout import (
    agent,
    errors,
    retry,
    trainer_client,
)
from rollout_conformance.rollout_server.rollout.app_state import AppState
from rollout_conformance.rollout_server.rollout.errors import RolloutError


async def _growing(self: Any, url: str, body: bytes, headers: Any, policy: Any, timeout_s: float) -> Any:
    attempts = iter(range(1000))

    async def attempt(url: str, body: bytes, headers: Any, timeout_s: float) -> Any:
        return await type(self).attempt(self, url, body + b" " * next(attempts), headers, timeout_s)

    proxy = type("Proxy", (), {"attempt": staticmethod(attempt)})()
    return await _original_post(proxy, url, body, headers, policy, timeout_s)


_original_post = trainer_client.TrainerClient.post


def _no_retries(self: Any, dialect: Any) -> retry.Policy:
    return retry.Policy(0, 0.02, 2.0)


async def _fails_late(original: Any, rollout: Any, request: Any, app_state: Any) -> Any:
    answer = await original(rollout, request, app_state)
    if newest_attempt.get() > 1 and answer.status == 200:
        raise errors.network()
    return answer


async def _shrugs(original: Any, rollout: Any, app_state: Any) -> str:
    try:
        return str(await original(rollout, app_state))
    except RolloutError as error:
        if error.category == "trainer_server_error":
            return "stop"
        raise


def _unbounded_calls() -> None:
    original = trainer_client.TrainerClient.attempt

    async def attempt(self: Any, url: str, body: bytes, headers: Any, timeout_s: float) -> Any:
        return await original(self, url, body, headers, 3600.0 if url.endswith("/chat/completions") else timeout_s)

    put(trainer_client.TrainerClient, "attempt", attempt)()


MUTANTS = (
    Mutant(
        "retries_4xx",
        breaks="083",
        also=("137", "140", "124", "121", "122", "119"),
        what="a rejected generation request is retried",
        patch=put(retry, "should_retry", lambda status: status is None or status >= 400),
        dialects=CALLBACK,
    ),
    Mutant(
        "never_retries",
        breaks="084",
        also=("087", "111", "085", "068", "201", "086", "088"),
        what="a failed generation request is not retried",
        patch=put(AppState, "generation_policy", _no_retries),
        dialects=CALLBACK,
    ),
    Mutant(
        "dates_not_read",
        breaks="084",
        what="a Retry-After that is no number is an internal error",
        patch=put(retry, "seconds", lambda retry_after: float(retry_after or 0)),
        dialects=CALLBACK,
    ),
    Mutant(
        "retries_differ",
        breaks="086",
        what="a retry has a different body",
        patch=put(trainer_client.TrainerClient, "post", _growing),
        dialects=CALLBACK,
    ),
    Mutant(
        "fails_late",
        breaks="087",
        also=("084", "085", "111"),
        what="a retry that succeeds is an error",
        patch=after_retries(_fails_late),
        dialects=CALLBACK,
    ),
    Mutant(
        "shrugs",
        breaks="088",
        also=("084", "089", "119", "091"),
        what="an unavailable trainer is a natural end",
        patch=around(agent, "run", _shrugs),
    ),
    Mutant(
        "one_category",
        breaks="089",
        what="429 has the category of a client error",
        patch=around(errors, "category_of", lambda o, status: "trainer_client_error" if status == 429 else o(status)),
        dialects=SYNC,
    ),
    Mutant(
        "network_internal",
        breaks="090",
        what="a broken connection has the category internal_error",
        patch=put(errors, "network", errors.internal),
        dialects=SYNC,
    ),
    Mutant(
        "waits_for_replies",
        breaks="091",
        also=("136", "240", "241"),
        what="a generation has no timeout",
        patch=_unbounded_calls,
    ),
)
