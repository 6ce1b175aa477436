"""What holds for a server that returns no token ids: its logprobs spell its text, and their number is the one that it counts. Pure.

Beside reasoning two kinds of logprobs are right: of all that was sampled, reasoning and markup included, and of the content alone. What
comes before the content is therefore not judged.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.profiles.chat.invariants.evidence import broken, completions, satisfied
from rollout_conformance.steps.profiles.chat.invariants.tokens import probabilities
from rollout_conformance.steps.profiles.chat.responses import ChatResponse, Choice
from rollout_conformance.steps.profiles.chat.view import CaseView

MOST_AFTER = 2  # entries behind the content: the end of the turn, and what a template puts behind it
REPLACED = (
    "\ufffd".encode()
)  # in place of a part of a letter: so vLLM and SGLang give the bytes of a token that ends within one
RAW = "bytes:"  # what OpenAI puts before a token that is no text


def spelled(view: CaseView) -> Iterator[Evidence]:
    """The logprobs of a response are those of its content."""
    for response in completions(view):
        for choice in response.choices if response.request.get("logprobs") else ():
            if choice.ids is None:
                yield from probabilities(response, choice.logprobs or [])
                yield from _spelled(response, choice)


def _spelled(response: ChatResponse, choice: Choice) -> Iterator[Evidence]:
    """For tool calls, stop strings and truncated text it is left to the server how much is content."""
    if choice.calls or choice.finish != "stop" or response.request.get("stop") or not choice.content.strip():
        return
    if spells(choice):
        yield satisfied(23)
        return
    expected = f"a logprob for each token of the content {show(choice.content)}"
    kind = "stream" if response.streamed else "response"
    tokens = "".join(str(entry.get("token")) for entry in choice.logprobs or ())
    observed = f"logprobs of {show(tokens)}" if choice.logprobs else f"no logprobs in the {kind}"
    yield broken(23, expected, observed, response.n)


def spells(choice: Choice, alone: bool = False) -> bool:
    """Whether the bytes of the entries, one after the other, end in the content: byte by byte, but for white space at its ends.

    `alone` when nothing may come before it.
    """
    pieces = [_bytes(entry) for entry in choice.logprobs or ()]
    if not pieces:
        return False
    wanted = choice.content.strip().encode("utf-8", "replace")
    if any(REPLACED in piece or not piece for piece in pieces) and REPLACED not in wanted:
        pieces, wanted = [_ascii(piece) for piece in pieces], _ascii(wanted).strip()
    ends = range(len(pieces), max(len(pieces) - MOST_AFTER, 0) - 1, -1)
    told = (b"".join(pieces[:end]).strip() for end in ends)
    return any(text == wanted if alone else text.endswith(wanted) for text in told)


def _bytes(entry: Mapping[str, Any]) -> bytes:
    """The bytes of a token, or nothing where it is a part of a letter and only its text is given."""
    given = entry.get("bytes")
    if isinstance(given, list):
        return bytes(one for one in given if type(one) is int and 0 <= one < 256)
    token = str(entry.get("token"))
    return b"" if token.startswith(RAW) else token.encode("utf-8", "replace")


def _ascii(text: bytes) -> bytes:
    return bytes(one for one in text if one < 128)


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
