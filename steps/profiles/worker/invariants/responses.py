"""What holds of the responses to all requests: the type of a stream, no internals, no keys."""

from collections.abc import Iterator

from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.worker.invariants.orcd_members import evidence
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

STREAM = "text/event-stream"


def accepted(view: WorkerView) -> Iterator[Evidence]:
    """A job that is accepted has a stream, where one was asked for."""
    for response in view.jobs:
        if response.is_success and response.spec.stream:
            observed = f"{response.status}, {show(response.header('content-type'))}"
            yield evidence(
                response.status == 200 and response.is_stream, "WORKER-001", f"200, {STREAM}", observed, response
            )


def no_leaks(view: WorkerView) -> Iterator[Evidence]:
    keys = [key for key in (view.worker.target_key, *view.worker.card.keys.values()) if key]
    for response in view.responses:
        if keys:
            said = [response.text, *(value for _, value in response.headers)]
            shown = next((key for key in keys if any(key in text for text in said)), None)
            yield (
                Finding("WORKER-202", "no API key in a response", "an API key", (response.n,))
                if shown
                else Satisfied("WORKER-202")
            )
        text = _error_text(response)
        if text:
            yield _internals(view, response, text)


def _error_text(response: KeptResponse) -> str:
    if response.status is not None and response.status >= 400:
        return response.text
    failure = response.transcript.failure if isinstance(response, JobResponse) else None
    return str(failure.message) if failure is not None else ""


def _internals(view: WorkerView, response: KeptResponse, text: str) -> Evidence:
    sent = internal_error_patterns.Sent(internal_error_patterns.of_request(view.trace.exchanges[response.n].request))
    found = internal_error_patterns.leaked(text, internal_error_patterns.GENERAL, sent)
    if not found:
        return Satisfied("WORKER-203")
    shown = internal_error_patterns.excerpt(text, found)
    return Finding("WORKER-203", "an error without internals of the worker", shown, (response.n,))
