"""What may be demanded of a stream, whatever its events mean."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from rollout_conformance.steps.engine.findings import Evidence, Satisfied
from rollout_conformance.steps.engine.trace import Trace
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation, ViewOfResponses
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.sse.streams import DONE, StreamedResponse

LEAST_SHARE = (
    0.1  # of the time of a stream, between its first and its last event; the rest may be spent before the first
)
TOGETHER_S = 0.1  # a stream that takes less than this shows nothing
SLOWER = 2.0  # times as late as the end of a short stream: the first event waited for more than for its own token


class TracedView(ViewOfResponses, Protocol):
    """A view that has the trace of its case."""

    @property
    def trace(self) -> Trace: ...


@verb("streams_incrementally", short="of", example=("second", "{of: it, beside: short}"))
@phrase("{of:responses} arrives incrementally")
@phrase("{of:several_responses} arrive incrementally")
@dataclass(frozen=True, slots=True)
class StreamsIncrementally(ResponseExpectation):
    """The events of a stream arrive one after the other, and not all together at its end. A stream that takes only a moment decides nothing.

    Where the request is sent several times, once is enough: on a busy machine it may be the suite that reads late. A first event that is about as
    late as the end of a short stream has waited for the target to begin, and not for the other events.
    """

    beside: ResponseName = ""
    "The response to a request for much fewer tokens."

    def judge(self, view: TracedView, requirement: str) -> Iterator[Evidence]:
        late = []
        for response in view.named(*self.of):
            found = self.check(response, view)
            if found is not None and found.ok:
                yield Satisfied(requirement)
                return
            late += [found.evidence(requirement, response)] if found is not None else []
        if not self._only_began_late(view):
            yield from late[:1]

    def _only_began_late(self, view: TracedView) -> bool:
        """Whether a target that is fast and busy explains the first event."""
        short = [times[-1] for times in self._times(view, self.beside) if times] if self.beside else []
        first = [times[0] for name in self.of for times in self._times(view, name) if times]
        return bool(short and first) and min(first) < SLOWER * min(short)

    @staticmethod
    def _times(view: TracedView, name: ResponseName) -> list[list[float]]:
        """When the events of each of these streams arrived, counted from their requests."""
        return [_since_request(response, view) for response in view.named(name)]

    def check(self, response: StreamedResponse, view: TracedView) -> Check | None:
        times = _since_request(response, view)
        if len(times) < 3 or times[-1] < TOGETHER_S:
            return None
        ok = (times[-1] - times[0]) / times[-1] > LEAST_SHARE
        observed = f"the first after {times[0]:.3f} s, the last after {times[-1]:.3f} s"
        return Check(ok, f"{len(times)} chunks one after the other", observed, timing=True)


def _since_request(response: StreamedResponse, view: TracedView) -> list[float]:
    began = view.trace.exchanges[response.n].began
    return [chunk.at - began for chunk in response.chunks if chunk.data != DONE]
