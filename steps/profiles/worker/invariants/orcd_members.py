"""The members of the events of the dialect `orcd`, and what an end says of itself."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.json_diff import ABSENT, show
from rollout_conformance.steps.profiles.worker.dialects.base import number
from rollout_conformance.steps.profiles.worker.dialects.orcd import DIALECT
from rollout_conformance.steps.profiles.worker.events import STOP, UNKNOWN, Metrics
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

SKEW_S = 3600.0
LONG_S = 0.1
OFFSET_S = 14 * 3600.0  # of a time that names no offset from UTC


def orcd_members(view: WorkerView) -> Iterator[Evidence]:
    for response in view.jobs:
        if response.dialect.name == DIALECT.name and response.is_success:
            yield from _started(view, response)
            yield from _counted(response)
            yield from _failure(response)
            yield from _measured(response)


def _started(view: WorkerView, response: JobResponse) -> Iterator[Evidence]:
    started = response.transcript.started
    if started is None:
        return
    own = response.spec.id
    yield evidence("WORKER-002", started.job_id == own, f"job_id {show(own)}", show(started.job_id), response.n)
    expected = "an ISO 8601 time of the present"
    yield evidence(
        "WORKER-003", _is_now(started.started_at, response.read_at), expected, show(started.started_at), response.n
    )
    if view.worker.model is not None:
        known = view.worker.model
        yield evidence("WORKER-004", started.model == known, f"model {show(known)}", show(started.model), response.n)
    else:
        ok = isinstance(started.model, str) and bool(started.model)
        yield evidence("WORKER-004", ok, "the name of a model", show(started.model), response.n)


def _is_now(written: object, now: float) -> bool:
    if not isinstance(written, str):
        return False
    try:
        time = datetime.fromisoformat(written.strip())
    except ValueError:
        return False
    skew = SKEW_S if time.tzinfo else SKEW_S + OFFSET_S
    return abs((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() - now) <= skew


def _counted(response: JobResponse) -> Iterator[Evidence]:
    shown = [token.index for token in response.transcript.tokens]
    if not shown or response.is_unreadable:
        return
    odd = next((n for n, index in enumerate(shown) if type(index) is not int or index != n), None)
    observed = "" if odd is None else f"token event {odd}: i {show(shown[odd])}"
    yield evidence("WORKER-008", odd is None, "i = 0, 1, 2, ... without gaps", observed, response.n)


def _failure(response: JobResponse) -> Iterator[Evidence]:
    failure = response.transcript.failure
    if failure is None:
        return
    ok = (
        isinstance(failure.code, str)
        and bool(failure.code)
        and isinstance(failure.message, str)
        and isinstance(failure.retriable, bool)
    )
    observed = f"code {show(failure.code)}, message {show(failure.message)}, retriable {show(failure.retriable)}"
    yield evidence("WORKER-055", ok, "code and message as text, retriable as a boolean", observed, response.n)


def _measured(response: JobResponse) -> Iterator[Evidence]:
    for event in response.transcript.events:
        if isinstance(event, Metrics) and isinstance(event.members, dict):
            rate, memory = number(event.members.get("tokens_per_sec")), event.members.get("vram_bytes", 0)
            ok = rate is not None and rate > 0 and (number(memory) or 0) >= 0
            yield evidence(
                "WORKER-061", ok, "tokens_per_sec above 0, vram_bytes of at least 0", show(event.members), response.n
            )
    end = response.transcript.end
    if end is None or end.elapsed_ms is ABSENT or not response.transcript.tokens or response.elapsed_s is None:
        return
    taken = number(end.elapsed_ms)
    most, least = (response.elapsed_s + 0.05) * 1000, _least_ms(response)
    ok = taken is not None and least <= taken <= most
    expected = (
        f"decode_time_ms of at least {least:.0f} and at most {most:.0f}"
        if least
        else f"decode_time_ms of 0 to {most:.0f}"
    )
    yield evidence("WORKER-063", ok, expected, show(end.elapsed_ms), response.n)


def _least_ms(response: JobResponse) -> float:
    """1 where the tokens arrived over a time that no rounding makes 0; a fast model generates a short output in less than a millisecond."""
    first, last = response.first_token_at(), response.ended_at()
    return 1.0 if first is not None and last is not None and last - first - response.late_s > LONG_S else 0.0


def ends(view: WorkerView) -> Iterator[Evidence]:
    """An end is spelt as the dialect does, names a stop text of the request, and none where none was found."""
    for response in view.jobs:
        end = response.transcript.end
        if not response.is_success or end is None:
            continue
        if response.dialect.name == DIALECT.name:
            known = "max_tokens, stop_sequence, cancelled, error or a word for the end of the text"
            ok = end.reason != UNKNOWN or _is_end_of_text(end.written)
            yield evidence("WORKER-019", ok, known, show(end.written), response.n)
        yield from _matched(response)


def _is_end_of_text(written: object) -> bool:
    """Whether a word in lower case with underscores may stand for the end of the model's text."""
    return (
        isinstance(written, str) and written.islower() and ("eos" in written or "end" in written) and " " not in written
    )


def _matched(response: JobResponse) -> Iterator[Evidence]:
    end = response.transcript.end
    if end is None or response.dialect.name not in ("orcd", "llamacpp"):
        return
    named = end.matched if end.matched not in (ABSENT, None, "") else None
    if end.reason == STOP and (named is not None or (response.stops and response.dialect.name == DIALECT.name)):
        stops = response.stops
        yield evidence("WORKER-013", named in stops, f"one of the stop texts {show(stops)}", show(named), response.n)
    elif end.reason not in (STOP, UNKNOWN):
        observed = f"{show(end.written)} with the stop text {show(named)}"
        yield evidence("WORKER-014", named is None, f"{show(end.written)} without a stop text", observed, response.n)
