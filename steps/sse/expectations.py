"""What may be demanded of a stream, whatever its events mean."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rollout_conformance.steps.engine.findings import Evidence, Satisfied
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation, ViewOfResponses
from rollout_conformance.steps.sse.streams import DONE, StreamedResponse

LEAST_SHARE = (
    0.1  # of the time of a stream, between its first and its last event; the rest may be spent before the first
)
TOGETHER_S = 0.1  # a stream that takes less than this shows nothing


class TracedView(ViewOfResponses, Protocol):
    """A view that has the trace of its case."""

    @property
    def trace(self) -> Trace: ...


@verb("streams_incrementally", short="of", example="second")
@phrase("{of:responses} arrives incrementally")
@phrase("{of:several_responses} arrive incrementally")
@dataclass(frozen=True, slots=True)
class StreamsIncrementally(ResponseExpectation):
    """The events of a stream arrive one after the other, and not all together at its end. A stream that takes only a moment decides nothing.

    Where the request is sent several times, once is enough: on a busy machine it may be the suite that reads late.
    """

    def judge(self, view: TracedView, requirement: str) -> Iterator[Evidence]:
        late = []
        for response in view.named(*self.of):
            found = self.check(response, view)
            if found is not None and found.ok:
                yield Satisfied(requirement)
                return
            late += [found.evidence(requirement, response)] if found is not None else []
        yield from late[:1]

    def check(self, response: StreamedResponse, view: TracedView) -> Check | None:
        times = [chunk.at for chunk in response.chunks if chunk.data != DONE]
        began = view.trace.exchanges[response.n].began
        if len(times) < 3 or times[-1] - began < TOGETHER_S:
            return None
        ok = (times[-1] - times[0]) / (times[-1] - began) > LEAST_SHARE
        observed = f"the first after {times[0] - began:.3f} s, the last after {times[-1] - began:.3f} s"
        return Check(ok, f"{len(times)} chunks one after the other", observed)
