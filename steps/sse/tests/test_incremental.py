"""Whether a stream arrives as it is generated."""

from dataclasses import dataclass

import pytest

from rollout_conformance.steps.engine.findings import Finding, Satisfied
from rollout_conformance.steps.engine.trace import Exchange, Request, Trace
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.sse.expectations import StreamsIncrementally
from rollout_conformance.steps.sse.streams import DONE, Chunk, StreamedResponse


@dataclass(frozen=True, slots=True)
class View:
    trace: Trace
    responses: "Responses[StreamedResponse]"

    def named(self, *words: str) -> list[StreamedResponse]:
        return self.responses.named(*words)


def evidence(*streams: list[float], short: list[float] | None = None) -> list[Finding | Satisfied]:
    judge = StreamsIncrementally(beside="short") if short else StreamsIncrementally()
    streams = (*([short] if short else []), *streams)
    trace = Trace(exchanges=[Exchange(n, True, "-", Request("POST", "/"), 0.0) for n in range(len(streams))])
    kept = [
        StreamedResponse(
            "short" if times is short else f"a#{n + 1}",
            n,
            {},
            200,
            {},
            chunks=(*(Chunk(at, {}) for at in times), Chunk(9, DONE)),
        )
        for n, times in enumerate(streams)
    ]
    return list(judge.judge(View(trace, Responses.of(kept)), "X-1"))


ALL_AT_ONCE, EVENLY, IN_A_MOMENT = [1.0, 1.01, 1.02], [0.2, 0.6, 1.0], [0.01, 0.02, 0.03]


def test_events_one_after_the_other_are_right() -> None:
    assert evidence(EVENLY) == [Satisfied("X-1")]


def test_events_all_at_the_end_are_one_finding() -> None:
    found = evidence(ALL_AT_ONCE, ALL_AT_ONCE)
    assert len(found) == 1
    assert isinstance(found[0], Finding)
    assert found[0].timing  # on a busy machine the target may sample, and the suite may read, all of them in one moment


def test_one_good_stream_of_several_is_enough() -> None:
    assert evidence(ALL_AT_ONCE, EVENLY) == [Satisfied("X-1")]


@pytest.mark.parametrize("times", [IN_A_MOMENT, EVENLY[:2], []])
def test_what_is_too_short_decides_nothing(times: list[float]) -> None:
    assert evidence(times) == []


def test_a_target_that_begins_late_and_is_fast_decides_nothing() -> None:
    assert evidence(ALL_AT_ONCE, short=[0.6, 0.7]) == []


def test_a_first_event_that_waits_for_the_others_is_a_finding() -> None:
    [found] = evidence(ALL_AT_ONCE, short=[0.1, 0.2])
    assert isinstance(found, Finding)
