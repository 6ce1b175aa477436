"""From a request to the tokens of its choices. A real engine decides token by token; this one knows the whole turn beforehand, and
cuts it where the request says that sampling ends."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_conformance.rollout_server.common.chat_tokenizer import ChatTokens
from rollout_conformance.rollout_server.inference import chat_prompt, fake_logprobs, rule_based_model, tool_call_parser
from rollout_conformance.rollout_server.inference.fake_logprobs import Scorer
from rollout_conformance.rollout_server.inference.tool_call_parser import Call
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.trainer import prompt as trainer_prompt

GREEDY_BELOW = 1e-5  # vLLM takes anything smaller for zero
WORDS = (
    *("amber", "birch", "cedar", "daisy", "elder", "fern", "ginger", "hazel", "ivy", "juniper"),
    *("kale", "laurel", "maple", "nettle", "olive", "poppy", "quince", "rose", "sage", "thyme"),
)
UNREADABLE = "\N{REPLACEMENT CHARACTER}"
LONGEST_CHARACTER = 4  # tokens: one for each byte


@dataclass(frozen=True, slots=True)
class Choice:
    """One sampled turn. `texts` has what each token adds to the visible text, which `text` is as a whole; `token_ids` and `logprobs`
    are what is told of the tokens."""

    index: int
    texts: tuple[str, ...]
    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[dict[str, Any], ...]
    calls: tuple[Call, ...]
    finish_reason: str
    stop_reason: str | None


@dataclass(frozen=True, slots=True)
class Cut:
    """Where sampling ended: how many tokens there are, how much of their text is visible, and why."""

    tokens: int
    letters: int | None
    finish_reason: str
    stop_reason: str | None = None


def sample(scorer: Scorer, request: ChatRequest, prompt: Sequence[int], index: int, room: int) -> Choice:
    """`room` is how many tokens the context leaves for the reply."""
    most = limit(request, room)
    ids = turn(scorer.tokens, request, words(request, index), most)
    texts = tuple(pieces(scorer.tokens, ids))
    cut = ended(request, texts, most)
    ids, texts = ids[: cut.tokens], texts[: cut.tokens]
    text = "".join(texts)[: cut.letters]
    made = tool_call_parser.found(request, text)
    reason = finish_reason(request, cut, made)
    told = scorer.entries(prompt, ids, fake_logprobs.asked(request)) if request.logprobs else ()
    return Choice(index, texts, text, tuple(ids), told, made, reason, cut.stop_reason)


def is_greedy(request: ChatRequest) -> bool:
    return request.temperature is not None and request.temperature < GREEDY_BELOW


def words(request: ChatRequest, index: int) -> str:
    """What chance adds. Neighbouring seeds differ in the first word, so that the choices of a request differ too."""
    if is_greedy(request):
        return ""
    own = seed(request) + index
    chance = random.Random(own)
    return " ".join([WORDS[own % len(WORDS)], *chance.choices(WORDS, k=chance.randint(3, 8))]).capitalize() + "."


def seed(request: ChatRequest) -> int:
    return random.randrange(2**32) if request.seed is None else request.seed


def turn(tokens: ChatTokens, request: ChatRequest, own_words: str, most: int) -> list[int]:
    """The ids of the whole turn, its end included, as if nothing cut it short."""
    message = rule_based_model.message(request, own_words)
    text = trainer_prompt.sampled_text(
        tokens, chat_prompt.history(request.messages), message, chat_prompt.shown(request)
    )
    ids = encoded(tokens, text)
    (end,) = tokens.encode(tokens.end_of_turn)
    ids = ids[: ids.index(end) + 1] if end in ids else [*ids, end]
    if not request.ignore_eos:
        return ids
    again = ids[:-1] or ids
    return again * (most // len(again) + 2)


def encoded(tokens: ChatTokens, text: str) -> list[int]:
    return tokens.encode(text)


def pieces(tokens: ChatTokens, ids: Sequence[int]) -> Iterator[str]:
    """The text of each token. Those that end within a character add nothing, and the one that completes it adds it."""
    held: list[int] = []
    for position, id in enumerate(ids):
        held.append(id)
        text = tokens.decode(held, special=False)
        incomplete = text.endswith(UNREADABLE) and len(held) < LONGEST_CHARACTER and position < len(ids) - 1
        yield "" if incomplete else text
        held = held if incomplete else []


def limit(request: ChatRequest, room: int) -> int:
    return min(request.max_completion_tokens or request.max_tokens or room, room)


def stops(request: ChatRequest) -> list[str]:
    given = [request.stop] if isinstance(request.stop, str) else request.stop or []
    return [text for text in given if text]


def ended(request: ChatRequest, texts: Sequence[str], most: int) -> Cut:
    """By a stop string, else by the limit, else by itself: the first of them that sampling meets."""
    text = ""
    for count, piece in enumerate(texts[:most], 1):
        before, text = len(text), text + piece
        places = [(text.find(stop, max(0, before - len(stop) + 1)), stop) for stop in stops(request)]
        found = min((place for place in places if place[0] >= 0), default=None)
        if found:
            return Cut(count, found[0], "stop", found[1])
    if len(texts) > most:
        return Cut(most, None, "length")
    return Cut(len(texts), None, "stop")


def finish_reason(request: ChatRequest, cut: Cut, made: Sequence[Call]) -> str:
    """A named call ends with `stop`, as in vLLM: the policy had no choice."""
    if made and cut.finish_reason == "stop" and chat_prompt.mode(request) != "named":
        return "tool_calls"
    return cut.finish_reason
