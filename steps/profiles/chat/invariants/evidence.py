"""Evidence about the requirements of this profile, and the responses that invariants are about."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Finding, Satisfied
from rollout_conformance.steps.engine.lenient_json import JsonObject
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView


def satisfied(number: int) -> Satisfied:
    return Satisfied(f"CHAT-{number:03}")


def broken(number: int, expected: str, observed: str, *exchanges: int) -> Finding:
    return Finding(f"CHAT-{number:03}", expected, observed, exchanges)


def completions(view: CaseView) -> Iterator[ChatResponse]:
    """The completions of a case, with what was requested."""
    return (one for one in view.judged if one.is_completion and one.request)


def not_streamed(view: CaseView, stream: ChatResponse) -> ChatResponse | None:
    """The response to the same request without `stream`; None for what is no stream, or where the case has no such response."""
    if not stream.streamed:
        return None
    same = (one for one in completions(view) if not one.streamed and _request(one) == _request(stream))
    return next(same, None)


def _request(response: ChatResponse) -> JsonObject:
    return {name: value for name, value in response.request.items() if name not in ("stream", "stream_options")}
