"""How far apart calls arrived that were sent in another order than that of their numbers.

A server waits for a number that is missing, and does not tell for how long. Where a busy machine sent the missing number later than that, the other
calls were rightly executed without it.
"""

from collections.abc import Iterator

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.view import TrainingView

WAIT_S = 0.5  # every server waits so long for a number that is missing


def too_far_apart(case: Case, view: TrainingView) -> str | None:
    """`inconclusive_reason` of the profile: why an order that was not kept says nothing; None where it does."""
    apart = max(_gaps(view), default=0.0)
    if apart <= WAIT_S or not view.alone:
        return None
    return f"calls that arrived in another order were {apart:.1f} s apart, and a server need not wait so long for a missing number"


def permuted(view: TrainingView) -> bool:
    """Whether a call was sent before one of its model that has a lower number."""
    return any(True for _ in _gaps(view))


def _gaps(view: TrainingView) -> Iterator[float]:
    """For each call that was sent after a higher number of its model: the seconds from that one until the response to its own submit.
    One that was sent again is none."""
    began: dict[tuple[str, int], float] = {}
    for call in sorted(view.judged, key=_submit):
        number = call.request.get("seq_id")
        if not call.model or not isinstance(number, int) or (call.model, number) in began:
            continue
        exchange = view.trace.exchanges[_submit(call)]
        higher = [when for (model, other), when in began.items() if model == call.model and other > number]
        began[call.model, number] = exchange.began
        if higher:
            yield (exchange.began if exchange.ended is None else exchange.ended) - min(higher)


def _submit(response: TrainingResponse) -> int:
    return (response.submit or response).n
