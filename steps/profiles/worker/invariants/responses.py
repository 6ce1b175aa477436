"""What holds of the responses to all requests: the type of a stream, no internals, no keys."""

from collections.abc import Iterator

from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Evidence, evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.http.keys import recognisable
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.worker.view import JobResponse, WorkerView

STREAM = "text/event-stream"


def accepted(view: WorkerView) -> Iterator[Evidence]:
    """A job that is accepted has a stream, where one was asked for."""
    for response in view.jobs:
        if response.is_success and response.spec.stream:
            observed = f"{response.status}, {show(response.header('content-type'))}"
            ok = response.status == 200 and response.is_stream
            yield evidence("WORKER-001", ok, f"200, {STREAM}", observed, response.n)


def no_leaks(view: WorkerView) -> Iterator[Evidence]:
    keys = recognisable([view.worker.target_key, *view.worker.card.keys.values()])
    for response in view.responses:
        if keys:
            texts = [response.text, *(value for _, value in response.headers)]
            shown = any(key in text for key in keys for text in texts)
            yield evidence("WORKER-202", not shown, "no API key in a response", "an API key", response.n)
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
    shown = internal_error_patterns.excerpt(text, found) if found else ""
    return evidence("WORKER-203", not found, "an error without internals of the worker", shown, response.n)
