"""What two completions are compared by, and how likely one was."""

import json
import math
from collections.abc import Mapping

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.profiles.chat.chunk_excerpts import around, departure
from rollout_conformance.steps.profiles.chat.responses import ChatResponse, Choice, functions

TEXTS = ("content", "reasoning", "reasoning_content")  # members of deltas
SHORT = 120  # characters of a text that a message shows
BEFORE = 40  # of them before the first difference
BIG = 2**53  # no probability has a logarithm below minus this


Sample = list[int] | dict[str, object]


def compared(first: ChatResponse, other: ChatResponse, by: str = "text") -> tuple[Sample, Sample]:
    """What the first choices of two responses are compared by: what both of them show."""
    one, two = first.first_choice, other.first_choice
    ids = bool(one.ids and two.ids)
    both = by if ids else "text"
    return sample(one, both, exact=ids), sample(two, both, exact=ids)


def sample(choice: Choice, by: str = "text", *, exact: bool | None = None) -> Sample:
    """The token ids of a choice where it has any and they are meant, else its text, its reasoning, its tool calls and its finish reason. The
    arguments of a call count with their spacing where they are `exact`: by default where ids show what was sampled, else that is left to
    the server."""
    if by == "token_ids" and choice.ids is not None:
        return list(choice.ids)
    spaced = bool(choice.ids) if exact is None else exact
    calls = [
        {"name": name, "arguments": arguments if spaced else _parsed(arguments)}
        for name, arguments in functions(choice)
    ]
    if not choice.reasoning:
        return {"content": choice.content, "calls": calls, "finish": choice.finish}
    # White space between the two belongs to the template; servers leave it out in one kind of response and not in the other.
    texts = {"content": choice.content.strip(), "reasoning": choice.reasoning.strip()}
    return {**texts, "calls": calls, "finish": choice.finish}


def same_sample(first: ChatResponse, other: ChatResponse, by: str) -> bool:
    """Whether two responses have the same first choice. A stream that says no finish reason breaks the order of its chunks (CHAT-051)."""
    samples = compared(first, other, by)
    if any(one.streamed and one.first_choice.finish is None for one in (first, other)):
        wanted, found = ({**one, "finish": None} if isinstance(one, dict) else one for one in samples)
        return wanted == found
    return samples[0] == samples[1]


def told_apart(first: ChatResponse, other: ChatResponse, by: str) -> tuple[str, str]:
    """What a message says of two choices that differ: only the members that do, long texts around the first difference."""
    wanted, found = compared(first, other, by)
    if not isinstance(wanted, dict) or not isinstance(found, dict):
        return show(wanted), show(found)
    names = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
    texts = [around_difference(wanted.get(name), found.get(name)) for name in names]
    expected, observed = (
        ", ".join(f"{name} {text[n]}" for name, text in zip(names, texts, strict=True)) for n in (0, 1)
    )
    name = next((name for name in TEXTS if name in names), None)
    at = departure(other.chunks, str(wanted.get(name) or ""), name) if name and other.streamed else None
    return expected, observed if at is None else f"{observed}; {around(other.chunks, at)}"


def around_difference(one: object, other: object) -> tuple[str, str]:
    """Two values as JSON. Of long texts the part around their first difference."""
    if not isinstance(one, str) or not isinstance(other, str) or max(len(one), len(other)) <= SHORT:
        return show(one), show(other)
    same = next(
        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )
    start = max(same - BEFORE, 0)
    return _from(one, start), _from(other, start)


def _from(text: str, start: int) -> str:
    return f"{'... ' if start else ''}{show(text[start : start + SHORT])} of {len(text)} characters"


def sample_key(choice: Choice) -> str:
    """What distinguishes two samples, as one text."""
    return json.dumps(sample(choice))


def sampled(choice: Choice) -> str:
    """What was sampled, as one text: the tokens where ids or logprobs show them. Texts can be equal where tokens are not: a parser of tool
    calls leaves out what it cannot read, such as a call that `max_tokens` has truncated."""
    tokens = [entry.get("token") for entry in choice.logprobs or ()] if choice.ids is None else list(choice.ids)
    return json.dumps([tokens, sample(choice)], default=str)


def _parsed(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def logprobs(choice: Choice) -> list[float]:
    return [value for value in map(logprob, choice.logprobs or ()) if value > -math.inf]


def logprob(entry: Mapping[str, object]) -> float:
    """What is no logprob is less likely than anything."""
    value = entry.get("logprob")
    return value if isinstance(value, float) else float(value) if type(value) is int and abs(value) < BIG else -math.inf
