"""Which requests are retried, how often and when, and that retries are equal."""

import asyncio

import httpx
import pytest

from rollout_conformance.rollout_server.rollout import retry
from rollout_conformance.rollout_server.tests.rollout.support import Effect, Trainer, call, reply, serve

POLICY = retry.Policy(retries=5, base_s=1, max_s=30)
DELAYS = [
    (1, None, 1),
    (2, None, 2),
    (5, None, 16),
    (6, None, 30),
    (4000, None, 30),
    (1, "7", 7),
    (1, "0", 1),
    (1, "9999", 30),
    (1, "-5", 1),
    (1, "nan", 1),
    (1, "inf", 1),
    (1, "Wed, 21 Oct 2015 07:28:00 GMT", 1),
    (4, "2", 8),
]


@pytest.mark.parametrize(("attempt", "asked", "expected"), DELAYS)
def test_delay(attempt: int, asked: str | None, expected: float) -> None:
    assert retry.delay(POLICY, attempt, asked) == expected


@pytest.mark.parametrize("status", [None, 408, 429, 500, 502, 503, 504, 599])
def test_worth_another_try(status: int | None) -> None:
    assert retry.should_retry(status)


@pytest.mark.parametrize("status", [200, 201, 204, 301, 307, 400, 401, 403, 404, 409, 413, 422])
def test_not_worth_another_try(status: int) -> None:
    assert not retry.should_retry(status)


FAULTS: list[Effect] = [httpx.Response(500), httpx.Response(408), httpx.Response(429), httpx.ReadError("reset")]


@pytest.fixture
def trainer() -> Trainer:
    return Trainer([reply("", call()), *FAULTS, reply()])


def test_the_same_bytes_are_sent_until_one_try_succeeds(trainer: Trainer) -> None:
    result = asyncio.run(serve(trainer, generation_retries=4).callback(trainer))
    assert result["status"] == "COMPLETED"
    assert result["metrics"]["num_llm_calls"] == 2
    assert result["metrics"]["num_tool_calls"] == 1
    tries = trainer.requests[1:-1]
    assert len({r.content for r in tries}) == len({r.headers["idempotency-key"] for r in tries}) == 1
    assert [r.headers["x-attempt"] for r in tries] == ["1", "2", "3", "4", "5"]
    assert trainer.requests[0].headers["idempotency-key"] != tries[0].headers["idempotency-key"]


def test_tries_are_bounded(trainer: Trainer) -> None:
    result = asyncio.run(serve(trainer, generation_retries=2).callback(trainer))
    assert result["extra_fields"]["error_category"] == "rate_limited"
    assert len(trainer.asked) == 1 + 3


def test_the_sync_dialect_does_not_retry_by_default(trainer: Trainer) -> None:
    result = asyncio.run(serve(trainer).sync())
    assert result["extra_fields"] == {"error_category": "trainer_server_error", "http_status": 500}
    assert len(trainer.asked) == 2


def test_the_sync_dialect_retries_if_configured(trainer: Trainer) -> None:
    assert asyncio.run(serve(trainer, sync_generation_retries=4).sync())["status"] == "COMPLETED"
