"""What holds for a server that returns no token ids: its logprobs spell its text, and their number is the one that it counts. Pure.

Beside reasoning two kinds of logprobs are right: of all that was sampled, reasoning and markup included, and of the content alone. What
comes before the content is therefore not judged.
"""

from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.profiles.chat.invariants.evidence import broken, completions, not_streamed, satisfied
from rollout_conformance.steps.profiles.chat.invariants.spelling import begun, is_judged, spelling, spells
from rollout_conformance.steps.profiles.chat.invariants.tokens import probabilities
from rollout_conformance.steps.profiles.chat.responses import ChatResponse, Choice
from rollout_conformance.steps.profiles.chat.view import CaseView


def spelled(view: CaseView) -> Iterator[Evidence]:
    """The logprobs of a response are those of its content."""
    for response in completions(view):
        for choice in response.choices if _has_to_have(response) else ():
            if choice.ids is None:
                yield from probabilities(response, choice.logprobs or [])
                yield from _spelled(view, response, choice)


def _has_to_have(response: ChatResponse) -> bool:
    """Whether logprobs were requested; a negative number of alternatives is no request that anything is owed to."""
    most = response.request.get("top_logprobs")
    return bool(response.request.get("logprobs")) and not (isinstance(most, int) and most < 0)


def _spelled(view: CaseView, response: ChatResponse, choice: Choice) -> Iterator[Evidence]:
    if not is_judged(response, choice) or _differs(view, response, choice):
        return
    if spells(choice) or spells(choice, begun=begun(response)):
        yield satisfied(23)
        return
    expected = f"a logprob for each token of the content {show(choice.content)}"
    kind = "stream" if response.streamed else "response"
    yield broken(23, expected, spelling(choice) if choice.logprobs else f"no logprobs in the {kind}", response.n)


def _differs(view: CaseView, response: ChatResponse, choice: Choice) -> bool:
    """Whether a stream has another text than the same request without a stream: then that is what is wrong (CHAT-050)."""
    whole = not_streamed(view, response)
    return whole is not None and all(choice.content != one.content for one in whole.choices)


def counted(view: CaseView) -> Iterator[Evidence]:
    """Where the logprobs spell just the content, and nothing else was sampled, they count the tokens."""
    for response in completions(view):
        sampled, choices = response.usage.get("completion_tokens"), response.choices
        if (
            response.streamed
            or type(sampled) is not int
            or not choices
            or not all(_is_all_content(response, c) for c in choices)
        ):
            continue
        count = sum(len(choice.logprobs or ()) for choice in choices)
        if abs(sampled - count) <= len(choices):  # whether the end of the turn is an entry is left to the server
            yield satisfied(11)
        else:
            expected = f"completion_tokens: {count}, as many as logprobs, one more or less for each of {len(choices)} choice(s)"
            yield broken(11, expected, f"completion_tokens: {sampled}", response.n)


def _is_all_content(response: ChatResponse, choice: Choice) -> bool:
    """Whether all that was sampled is the content: no reasoning, sent or only counted, no tool call, no stop string."""
    details = mapping(response.usage.get("completion_tokens_details"))
    hidden = choice.reasoning or details.get("reasoning_tokens") or choice.calls or response.request.get("stop")
    return choice.ids is None and not hidden and spells(choice, alone=True)
