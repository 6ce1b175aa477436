"""A cumulative stream is read as it arrives: the same events as from its whole body, without keeping what each event repeats."""

import asyncio
from typing import Any

import pytest

from rollout_conformance.steps.engine import body_limits
from rollout_conformance.steps.engine.body_limits import Cut
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.dialects.base import CUMULATIVE
from rollout_conformance.steps.profiles.worker.job_reading import (
    CumulativeReading,
    events_with_tokens,
    has_tokens,
    reading_of,
    transcript_of,
)
from rollout_conformance.steps.profiles.worker.tests.streams import read, sent, sglang
from rollout_conformance.steps.sse.streams import DONE, Reading

SGLANG = DIALECTS["sglang"]
LENGTH = {"type": "length", "length": 4}
STREAM = (sglang("é", [1]), sglang("éa", [1, 2]), sglang("éab", [1, 2, 3], LENGTH), "[DONE]")


def reading(raw: bytes, size: int = 7) -> CumulativeReading:
    """What was read of a body that arrives in pieces of this size."""
    found = reading_of(SGLANG, CUMULATIVE, most=10_000)
    assert isinstance(found, CumulativeReading)
    found.status = 200
    for at in range(0, len(raw), size):
        found.add(raw[at : at + size], float(at))
    return found


def test_the_events_are_those_of_the_whole_body() -> None:
    found = reading(sent(*STREAM))
    assert transcript_of(found, SGLANG, CUMULATIVE) == read("sglang", *STREAM)
    assert events_with_tokens(found, SGLANG) == 3
    assert has_tokens(found, SGLANG, 3)
    assert not has_tokens(found, SGLANG, 4)


def test_a_breach_is_that_of_the_whole_body() -> None:
    events = (sglang("ab", [1, 2]), sglang("c", [3]), sglang("d", [4], LENGTH), "[DONE]")
    found = transcript_of(reading(sent(*events)), SGLANG, CUMULATIVE)
    assert found.breaches
    assert found == read("sglang", *events)


def test_what_an_event_repeats_is_not_kept() -> None:
    found = reading(sent(*STREAM))
    kept: list[Any] = [chunk.data for chunk in found.chunks]
    assert kept[-1] == DONE
    assert len(kept) == len(STREAM)
    assert not any({"text", "output_ids"} & set(one) for one in kept[:-1])
    assert kept[2]["meta_info"]["finish_reason"] == LENGTH
    assert "output_token_logprobs" not in kept[2]["meta_info"]


def test_of_a_large_body_the_ends_are_kept_and_only_its_longest_event_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body_limits.ROOM, "limit", body_limits.MIB)
    longest = 500
    raw = sent(*(sglang("a" * n, list(range(n))) for n in range(1, longest + 1)))
    found = reading(raw, 64 * 1024)
    assert len(raw) > 2 * body_limits.MIB  # more than may be held at all
    assert asyncio.run(found.fits())
    assert isinstance(found.body, Cut)
    assert len(found.body) < body_limits.MIB + 64 * 1024
    assert found.body.startswith(raw[:1000])
    assert found.body.endswith(raw[-1000:])
    assert len(transcript_of(found, SGLANG, CUMULATIVE).ids or ()) == longest


def test_events_that_grow_beyond_the_limit_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limits.ROOM, "limit", body_limits.MIB)
    found = reading(sent(sglang("a", [1]), sglang("a" * 2 * body_limits.MIB, [1, 2])), 64 * 1024)
    assert not asyncio.run(found.fits())


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_bytes_that_are_no_utf_8_are_found_while_they_arrive(size: int) -> None:
    raw = sent(*STREAM)
    assert reading(raw, size).odd_bytes == b""
    assert b"\xc3" in reading(raw.replace("éab".encode(), b"\xc3ab"), size).odd_bytes


def test_increments_are_kept_whole() -> None:
    assert type(reading_of(SGLANG, "delta", 10)) is Reading
    assert type(reading_of(DIALECTS["llamacpp"], "delta", 10)) is Reading
