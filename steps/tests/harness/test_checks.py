"""The assertions pass for right streams and fail for wrong ones, with what is wrong."""

import json
from typing import Any

import pytest

from rollout_conformance.steps.harness import (
    assert_event_order,
    assert_successful_completion,
    assert_token_count,
    extract_tokens,
)
from rollout_conformance.steps.profiles.worker.dialects.orcd import DIALECT
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.view import JobResponse
from rollout_conformance.steps.sse.streams import Chunk

NOW = "2026-01-01T00:00:00Z"
AT = 1767225600.0  # the same time
STARTED = {"type": "started", "job_id": "j", "model": "m", "started_at": NOW, "seed": 1}


def token(i: int) -> dict[str, Any]:
    return {"type": "token", "t": f"<{i}>", "i": i}


def end(count: int, reason: str = "max_tokens") -> dict[str, Any]:
    return {"type": "end", "tokens_out": count, "decode_time_ms": 1.0, "stop_reason": reason}


ERROR = {"type": "error", "code": "VRAM_OOM", "message": "full", "retriable": True}
RIGHT = (STARTED, token(0), token(1), end(2))


def response(*events: Any, fault: str | None = None, status: int = 200) -> JobResponse:
    chunks = tuple(Chunk(float(n), event, event["type"]) for n, event in enumerate(events))
    spec = JobSpec("j", "Hello", max_tokens=2)
    transcript = DIALECT.read(chunks, "delta")
    headers = (("content-type", "text/event-stream"),)
    return JobResponse(
        "j",
        0,
        {},
        status,
        None,
        chunks,
        raw=json.dumps(events).encode(),
        headers=headers,
        fault=fault,
        spec=spec,
        dialect=DIALECT,
        transcript=transcript,
        read_at=AT,
    )


def test_a_right_stream_passes() -> None:
    job = response(*RIGHT)
    assert_event_order(job)
    assert_token_count(job, 2)
    assert_successful_completion(job)
    assert extract_tokens(job) == ["<0>", "<1>"]


@pytest.mark.parametrize(
    ("events", "broken"),
    [
        ((token(0), end(1)), "WORKER-002"),
        ((STARTED, token(0)), "WORKER-005"),
        ((*RIGHT, end(2)), "WORKER-006"),
        ((*RIGHT, token(2)), "WORKER-006"),
        ((STARTED, token(1), token(2), end(2)), "WORKER-008"),
        (({**STARTED, "job_id": "other"}, token(0), end(1)), "WORKER-002"),
        ((STARTED, STARTED, token(0), end(1)), "WORKER-007"),
    ],
)
def test_a_wrong_order_fails(events: tuple[Any, ...], broken: str) -> None:
    with pytest.raises(AssertionError, match=broken):
        assert_event_order(response(*events))


@pytest.mark.parametrize("count", [1, 3])
def test_a_wrong_counter_fails(count: int) -> None:
    with pytest.raises(AssertionError, match="WORKER-009"):
        assert_token_count(response(STARTED, token(0), token(1), end(count)))


def test_another_number_of_tokens_fails() -> None:
    with pytest.raises(AssertionError, match="expected 3 tokens, and there are 2"):
        assert_token_count(response(*RIGHT), 3)


def test_an_error_is_no_completion() -> None:
    with pytest.raises(AssertionError, match="the reason is error"):
        assert_successful_completion(response(STARTED, token(0), ERROR))


def test_a_stream_that_broke_off_is_no_stream() -> None:
    with pytest.raises(AssertionError, match="broke off: reset"):
        assert_event_order(response(*RIGHT, fault="reset"))


def test_a_rejection_is_no_stream() -> None:
    with pytest.raises(AssertionError, match="expected a stream, and the response is 503"):
        assert_token_count(response(*RIGHT, status=503))
