"""The prompt of a request is rendered by the template, and begins with what was there before."""

from collections.abc import Iterator

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.live.trainer import first_difference
from rollout_conformance.steps.peers.conversation_forms import other_forms
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.profiles.chat.invariants.evidence import broken, completions, satisfied
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView


def prompts(view: CaseView) -> Iterator[Evidence]:
    """The prompt is that of the template, and each turn's begins with what was there before."""
    for response in completions(view):
        if response.prompt_ids is None:
            continue
        if (
            view.tokens is not None
            and response.messages
            and not response.invented_history
            and "tool_choice" not in response.request
        ):
            yield from _rendered(view, response, response.prompt_ids)
        # Of a call that was cut the message may lack what was sampled.
        before = None if response.invented_history else _before(view, response)
        if before is None or before.choices[0].is_cut_call:
            continue
        if before.prompt_ids is not None and before.choices[0].ids is not None:
            yield from _extends(view, before, response)


def _rendered(view: CaseView, response: ChatResponse, ids: tuple[int, ...]) -> Iterator[Evidence]:
    assert view.tokens is not None
    ours = tuple(view.tokens.prompt_ids(response.messages, response.request.get("tools")))
    if ours == ids or _in_another_form(view.tokens, response, ids):
        yield satisfied(25)
    else:
        yield broken(25, *_place(view, ours, ids), response.n)


def _in_another_form(tokens: Tokens, response: ChatResponse, ids: tuple[int, ...]) -> bool:
    """Whether the template was given the same conversation in another form, such as "" for a content that is null."""
    forms = other_forms(tokens, response.messages, response.request.get("tools") or ())
    return any(tuple(tokens.encode(text)) == ids for text in forms)


def _place(view: CaseView, ours: tuple[int, ...], theirs: tuple[int, ...]) -> tuple[str, str]:
    """The first position that differs, with the ids and the texts around it, ours and theirs."""
    at = first_difference(ours, theirs)
    around = slice(max(0, at - 3), at + 9)
    told = [
        f"{list(part[around])} {show(view.tokens.decode(part[around]) if view.tokens else '')}"
        for part in (ours, theirs)
    ]
    return f"position {at} of {len(ours)}: {told[0]}", f"position {at} of {len(theirs)}: {told[1]}"


def _before(view: CaseView, response: ChatResponse) -> ChatResponse | None:
    """The response whose conversation this one continues: its messages and its answer come first."""
    found = None
    for other in completions(view):
        messages = other.messages
        longer = len(response.messages) > len(messages)
        if other.n < response.n and longer and response.messages[: len(messages)] == messages and other.choices:
            answer = response.messages[len(messages)]
            if answer.get("role") == "assistant" and answer.get("content") == other.choices[0].message.get("content"):
                found = other if found is None or len(messages) > len(found.messages) else found
    return found


def _extends(view: CaseView, before: ChatResponse, response: ChatResponse) -> Iterator[Evidence]:
    whole = (before.prompt_ids or ()) + (before.choices[0].ids or ())
    now = response.prompt_ids or ()
    if now[: len(whole)] == whole:
        yield satisfied(26)
    else:
        yield broken(26, *_place(view, whole, now), before.n, response.n)
