"""The members of a completion, what it counts, and why it ended."""

from collections import Counter
from collections.abc import Iterator, Mapping

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import text
from rollout_conformance.steps.profiles.chat.invariants.evidence import broken, completions, satisfied
from rollout_conformance.steps.profiles.chat.responses import ChatResponse, Choice
from rollout_conformance.steps.profiles.chat.view import CaseView

IN_SECONDS = 100_000_000_000  # a `created` beyond this is in milliseconds


def members(view: CaseView) -> Iterator[Evidence]:
    """A completion has the members that it needs, and an id of its own."""
    for response in completions(view):
        if response.streamed:
            continue
        body, created = response.fields, response.fields.get("created")
        are_right = {
            "object": body.get("object") == "chat.completion",
            "id": bool(text(body.get("id"))),
            "created": type(created) is int and created < IN_SECONDS,
            "model": isinstance(body.get("model"), str),
            "choices": bool(response.choices),
        }
        wrong = {name: body.get(name) for name, is_right in are_right.items() if not is_right}
        yield (
            broken(2, "object, id, created in seconds, model and choices", show(wrong), response.n)
            if wrong
            else satisfied(2)
        )
    names = Counter(
        name for response in completions(view) if isinstance(name := response.fields.get("id"), str) and name
    )
    again = next((name for name, count in names.items() if count > 1), None)
    if again is not None:
        yield broken(9, "an id of its own for every completion", f"{show(again)} for {names[again]} completions")
    elif len(names) > 1:
        yield satisfied(9)


def usage(view: CaseView) -> Iterator[Evidence]:
    """Usage adds up, and counts what was sampled."""
    for response in completions(view):
        counted = response.usage
        if not counted:
            continue
        prompt, sampled, total = (counted.get(f"{name}_tokens") for name in ("prompt", "completion", "total"))
        if isinstance(prompt, int) and isinstance(sampled, int) and prompt + sampled == total:
            yield satisfied(10)
        else:
            yield broken(10, "total_tokens = prompt_tokens + completion_tokens", show(counted), response.n)
        ids = [choice.ids for choice in response.choices]
        known = [len(one) for one in ids if one is not None]
        # In a stream ids may be lost on the way, which CHAT-055 judges; its usage is compared with that of a response without (CHAT-059).
        if known and len(known) == len(ids) and not response.streamed:
            yield from _equal(11, "completion_tokens", sum(known), sampled, response)
        if response.prompt_ids is not None:
            yield from _equal(12, "prompt_tokens", len(response.prompt_ids), prompt, response)


def _equal(number: int, name: str, expected: int, observed: object, response: ChatResponse) -> Iterator[Evidence]:
    yield (
        satisfied(number)
        if expected == observed
        else broken(number, f"{name}: {expected}", f"{name}: {show(observed)}", response.n)
    )


def finish_reasons(view: CaseView) -> Iterator[Evidence]:
    """A completion ends as its finish_reason says. A stream without any breaks the order of its chunks (CHAT-051)."""
    for response in completions(view):
        if response.is_only_an_error:
            continue  # a rejection with the wrong status (CHAT-003), and no completion
        named = isinstance(response.request.get("tool_choice"), Mapping)
        choices = response.choices
        for choice in choices:
            if response.chunks and choice.finish is None:
                continue
            right = _right_endings(view, response, choice, alone=len(choices) == 1)
            if choice.finish in sorted(right) or (named and choice.calls and choice.finish == "stop"):
                yield satisfied(38)
            else:
                yield broken(38, f"finish_reason {' or '.join(sorted(right))}", show(choice.finish), response.n)


def _right_endings(view: CaseView, response: ChatResponse, choice: Choice, alone: bool) -> set[str]:
    most = response.request.get("max_completion_tokens") or response.request.get("max_tokens")
    end = view.tokens.end_of_turn if view.tokens else None
    sampled = response.usage.get("completion_tokens") if alone else None
    if choice.ids is None and isinstance(sampled, int) and isinstance(most, int):
        if sampled < most:
            return {"tool_calls"} if choice.calls else {"stop"}
        if choice.is_cut_call:
            return {"length"}
    if choice.ids is not None and end is not None and isinstance(most, int):
        ended = end in choice.ids and response.request.get("ignore_eos") is not True
        cut = len(choice.ids) >= most and not ended and not _ends_in_stop(view, response, choice)
        if cut:
            return {"length"}
        return {"tool_calls"} if choice.calls else {"stop"}
    return {"tool_calls", "length"} if choice.calls else {"stop", "length"}


def _ends_in_stop(view: CaseView, response: ChatResponse, choice: Choice) -> bool:
    stops = response.request.get("stop") or []
    text = view.tokens.decode(choice.ids or ()) if view.tokens else ""
    return any(stop in text for stop in ([stops] if isinstance(stops, str) else stops))
