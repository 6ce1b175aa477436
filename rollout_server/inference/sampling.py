"""From a request to the tokens of its choices. A real model samples token by token; here the whole turn is known, and is
truncated where the request ends sampling."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common import chat_tokenizer
from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokenizer
from rollout_conformance.rollout_server.inference import (
    chat_prompt,
    fake_logprobs,
    rule_based_model,
    token_weights,
    tool_call_parser,
)
from rollout_conformance.rollout_server.inference.fake_logprobs import Scorer
from rollout_conformance.rollout_server.inference.tool_call_parser import Call
from rollout_conformance.rollout_server.inference.wire import ChatRequest

GREEDY_BELOW = 1e-5  # vLLM takes anything smaller for zero
WORDS = (
    *("amber", "birch", "cedar", "daisy", "elder", "fern", "ginger", "hazel", "ivy", "juniper"),
    *("kale", "laurel", "maple", "nettle", "olive", "poppy", "quince", "rose", "sage", "thyme"),
)
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LONGEST_CHARACTER = 4  # in tokens: one for each byte


@dataclass(frozen=True, slots=True)
class Choice:
    """One sampled turn. `texts` has what each token adds to the visible `text`; `token_ids` and `logprobs` are returned."""

    index: int
    texts: tuple[str, ...]
    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[dict[str, Any], ...]
    calls: tuple[Call, ...]
    finish_reason: str
    stop_reason: str | None


@dataclass(frozen=True, slots=True)
class Ending:
    """Where and why sampling ended. `visible` limits the characters of the text, for a stop string within a token."""

    tokens: int
    visible: int | None
    finish_reason: str
    stop_reason: str | None = None


def sample(scorer: Scorer, request: ChatRequest, prompt: Sequence[int], index: int, room: int) -> Choice:
    """`room` is how many tokens the context leaves for the reply."""
    most = limit(request, room)
    ids = turn(scorer.tokenizer, request, words(request, index), most)
    ids = token_weights.weighted(scorer, request, prompt, ids[: most + 1])
    texts = tuple(token_texts(scorer.tokenizer, ids))
    ending = ended(request, texts, most)
    ids, texts = ids[: ending.tokens], texts[: ending.tokens]
    text = "".join(texts)[: ending.visible]
    calls = tool_call_parser.parse(request, text, is_cut=ending.finish_reason == "length")
    reason = finish_reason(request, ending, calls)
    logprobs = scorer.entries(prompt, ids, fake_logprobs.top_count(request)) if request.logprobs else ()
    return Choice(
        index=index,
        texts=texts,
        text=text,
        token_ids=tuple(ids),
        logprobs=logprobs,
        calls=calls,
        finish_reason=reason,
        stop_reason=ending.stop_reason,
    )


def is_greedy(request: ChatRequest) -> bool:
    return (request.temperature is not None and request.temperature < GREEDY_BELOW) or is_narrow(request)


def is_narrow(request: ChatRequest) -> bool:
    """Whether `top_p` leaves the most likely word only: the first of each turn has a chance of one in twenty."""
    return request.top_p is not None and request.top_p < 1 / len(WORDS)


def words(request: ChatRequest, index: int) -> str:
    """Random words. Neighbouring seeds differ in the first word, so that the choices of a request differ too."""
    if is_greedy(request):
        return ""
    own = seed(request) + index
    chance = random.Random(own)
    return " ".join([WORDS[own % len(WORDS)], *chance.choices(WORDS, k=chance.randint(3, 8))]).capitalize() + "."


def seed(request: ChatRequest) -> int:
    return random.randrange(2**32) if request.seed is None else request.seed


def turn(tokens: ChatTokenizer, request: ChatRequest, own_words: str, most: int) -> list[int]:
    """The ids of the whole turn, its end included, before truncation."""
    message = rule_based_model.next_message(request, own_words)
    text = chat_tokenizer.sampled_text(
        tokens, chat_prompt.history(request.messages), message, chat_prompt.visible_tools(request)
    )
    ids = encode_turn(tokens, text)
    (end,) = tokens.encode(tokens.end_of_turn)
    ids = ids[: ids.index(end) + 1] if end in ids else [*ids, end]
    if not request.ignore_eos:
        return ids
    again = ids[:-1] or ids
    return again * (most // len(again) + 2)


def encode_turn(tokens: ChatTokenizer, text: str) -> list[int]:
    return tokens.encode(text)


def token_texts(tokens: ChatTokenizer, ids: Sequence[int]) -> Iterator[str]:
    """The text of each token. Tokens that end within a character add nothing; the one that completes it adds it."""
    held: list[int] = []
    for position, id in enumerate(ids):
        held.append(id)
        text = tokens.decode(held, special=False)
        incomplete = text.endswith(REPLACEMENT) and len(held) < LONGEST_CHARACTER and position < len(ids) - 1
        yield "" if incomplete else text
        held = held if incomplete else []


def limit(request: ChatRequest, room: int) -> int:
    return min(request.max_completion_tokens or request.max_tokens or room, room)


def stops(request: ChatRequest) -> list[str]:
    given = [request.stop] if isinstance(request.stop, str) else request.stop or []
    return [text for text in given if text]


def ended(request: ChatRequest, texts: Sequence[str], most: int) -> Ending:
    """By a stop string, by the limit or by the end of the turn, whichever comes first."""
    text = ""
    for count, piece in enumerate(texts[:most], 1):
        before, text = len(text), text + piece
        positions = [(text.find(stop, max(0, before - len(stop) + 1)), stop) for stop in stops(request)]
        found = min((position for position in positions if position[0] >= 0), default=None)
        if found:
            return Ending(count, found[0], "stop", found[1])
    if len(texts) > most:
        return Ending(most, None, "length")
    return Ending(len(texts), None, "stop")


def finish_reason(request: ChatRequest, ending: Ending, calls: Sequence[Call]) -> str:
    """`tool_calls`, or `stop` for a named `tool_choice`, as in vLLM."""
    if calls and ending.finish_reason == "stop" and chat_prompt.mode(request) != "named":
        return "tool_calls"
    return ending.finish_reason
