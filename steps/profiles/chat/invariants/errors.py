"""The form of errors, and what neither they nor any other response may expose."""

from collections.abc import Iterator

from rollout_conformance.steps.engine import internal_error_patterns
from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.http.keys import WRONG_KEY, recognisable
from rollout_conformance.steps.profiles.chat.invariants.evidence import broken, satisfied
from rollout_conformance.steps.profiles.chat.requests import CHAT
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView

BAD_REQUEST = (400, 404, 413, 422)


def rejections(view: CaseView) -> Iterator[Evidence]:
    """A request that is rejected for what is in it is rejected with an error object as OpenAI has it."""
    for response in view.judged:
        if response.status not in BAD_REQUEST or not _is_about_chat(view, response):
            continue
        message = mapping(response.fields.get("error")).get("message")
        ok = isinstance(message, str) and bool(message)
        expected = "an error object with a text message"
        yield satisfied(8) if ok else broken(8, expected, f"{response.status}: {show(response.body)}", response.n)


def _is_about_chat(view: CaseView, response: ChatResponse) -> bool:
    """Whether a chat completion was requested, and not a path that may not exist."""
    request = view.trace.exchanges[response.n].request if response.n < len(view.trace.exchanges) else None
    return bool(response.request) or (request is not None and request.method == "POST" and request.path == CHAT)


def errors(view: CaseView) -> Iterator[Evidence]:
    """An error exposes neither internals of the server nor a key; nor does any other response expose a key."""
    keys = recognisable([view.context.key, WRONG_KEY]) if recognisable([view.context.key]) else []
    for response in view.judged:
        text = response.text
        if response.status is not None and response.status >= 400:
            found = internal_error_patterns.leaked(text, internal_error_patterns.GENERAL, request_text(view, response))
            yield (
                broken(
                    5,
                    "an error without internals of the server",
                    internal_error_patterns.excerpt(text, found),
                    response.n,
                )
                if found
                else satisfied(5)
            )
        if keys:
            shown = next((key for key in keys if key in text), None)
            yield broken(7, "no key in a response", f"a key in {text[:60]} ...", response.n) if shown else satisfied(7)


def request_text(view: CaseView, response: ChatResponse) -> internal_error_patterns.Sent:
    """What was sent in the request of a response."""
    exchanges = view.trace.exchanges[response.n : response.n + 1]
    return internal_error_patterns.Sent(
        part for one in exchanges for part in internal_error_patterns.of_request(one.request)
    )
