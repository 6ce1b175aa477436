"""The token ids of a completion are its message, and each has its logprob."""

import math
from collections.abc import Iterator, Sequence
from itertools import islice

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JsonObject, mappings
from rollout_conformance.steps.engine.trace import parse
from rollout_conformance.steps.profiles.chat.invariants.evidence import broken, completions, satisfied
from rollout_conformance.steps.profiles.chat.invariants.spelling import begun, is_judged, spelling, spells
from rollout_conformance.steps.profiles.chat.responses import MOST, ChatResponse, Choice, functions
from rollout_conformance.steps.profiles.chat.view import CaseView

BIG = 2**53  # no probability has a logarithm below minus this
ROUNDING = 0.02  # of a sum of probabilities
BROKEN_LETTER = "\ufffd"


def token_ids(view: CaseView) -> Iterator[Evidence]:
    """The ids are the message, and each has its logprob."""
    for response in completions(view):
        if not response.request.get("return_token_ids"):
            continue
        for choice in response.choices:
            if choice.ids is None:
                yield broken(20, "token_ids, because return_token_ids is true", "none", response.n)
                continue
            if response.prompt_ids is None:
                yield broken(20, "prompt_token_ids, because return_token_ids is true", "none", response.n)
            yield from _whole(view, response, choice, choice.ids)
            yield from _logprobs(view, response, choice, choice.ids)


def _whole(view: CaseView, response: ChatResponse, choice: Choice, ids: tuple[int, ...]) -> Iterator[Evidence]:
    if view.tokens is None:
        return
    text, end = view.tokens.decode(ids), view.tokens.end_of_turn
    # What the limit or a stop string ended, or in the middle of a call, has no end of the turn: where its finish_reason says otherwise, that is
    # what is wrong (CHAT-038).
    cut = _stopped_by_string(response, choice) or choice.is_cut_call or _limit_reached(response, ids)
    ended = choice.finish in ("stop", "tool_calls") and not cut
    if ended and end is not None and end not in ids:
        yield broken(20, f"the end of the turn ({end}) among the ids", f"they end with {list(ids[-4:])}", response.n)
        return
    yield satisfied(20)
    called = list(islice(functions(choice), MOST))  # each is looked for in all of the text
    parts = dict.fromkeys([choice.content.strip(), *(name for name, _ in called)])
    # A sampled special token is left out of the content; servers represent half a character differently.
    plain = view.tokens.decode(ids, special=False)
    missing = next((part for part in parts if part not in text and part not in plain and _is_told(part, text)), None)
    if _stopped_by_string(response, choice) or missing is None:
        yield satisfied(21)
    else:
        yield broken(21, f"ids that decode to {show(missing)}", show(text), response.n)
    for arguments in dict.fromkeys(arguments for _, arguments in called):
        if not isinstance(parse(arguments.encode("utf-8", "replace")), dict):
            continue
        if arguments not in text:
            yield broken(22, f"arguments as sampled: {show(text)}", show(arguments), response.n)
            return
        yield satisfied(22)


def _is_told(part: str, sampled: str) -> bool:
    """Whether a part shows what it is: U+FFFD may stand for a character that is incomplete among the ids as well."""
    return BROKEN_LETTER not in part or BROKEN_LETTER not in sampled


def _limit_reached(response: ChatResponse, ids: tuple[int, ...]) -> bool:
    most = response.request.get("max_completion_tokens") or response.request.get("max_tokens")
    return isinstance(most, int) and len(ids) >= most


def _stopped_by_string(response: ChatResponse, choice: Choice) -> bool:
    return bool(response.request.get("stop")) and choice.finish == "stop"


def _logprobs(view: CaseView, response: ChatResponse, choice: Choice, ids: tuple[int, ...]) -> Iterator[Evidence]:
    if not response.request.get("logprobs"):
        return
    entries = choice.logprobs
    if entries is None or len(entries) != len(ids):
        observed = "no logprobs" if not entries else f"{len(entries)} logprobs"
        yield broken(23, f"{len(ids)} logprobs for {len(ids)} ids", observed, response.n)
        return
    strange = next((n for n, pair in enumerate(zip(entries, ids, strict=True)) if _foreign(view, *pair)), None)
    if (
        strange is None
        and _is_of_ids(view, choice, ids)
        and is_judged(response, choice)
        and not (spells(choice) or spells(choice, begun=begun(response)))
    ):
        yield broken(23, f"bytes that are, one after the other, {show(choice.content)}", spelling(choice), response.n)
    elif strange is None:
        yield satisfied(23)
    else:
        expected = f"logprob {strange} is of {show(view.tokens.decode([ids[strange]]) if view.tokens else '')}"
        yield broken(23, expected, f"it is of {show(entries[strange].get('token'))}", response.n)
    yield from probabilities(response, entries)


def _is_of_ids(view: CaseView, choice: Choice, ids: tuple[int, ...]) -> bool:
    """Whether the content is what the ids decode to; where it is not, that is what is wrong (CHAT-021)."""
    return view.tokens is None or choice.content.strip() in view.tokens.decode(ids)


def probabilities(response: ChatResponse, entries: list[JsonObject]) -> Iterator[Evidence]:
    values = [entry.get("logprob") for entry in entries]
    wrong = [value for value in values if not _is_logprob(value)]
    yield broken(24, "finite logprobs, none above 0", show(wrong[:3]), response.n) if wrong else satisfied(24)


def _is_logprob(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -BIG < value <= 0


def _foreign(view: CaseView, entry: JsonObject, token: int) -> bool:
    """Whether an entry names the text of another token. Servers spell what is not ASCII, and markup, differently."""
    if view.tokens is None:
        return False
    text, told = view.tokens.decode([token]), entry.get("token")
    plain = text.isascii() and not text.startswith("<|") and isinstance(told, str) and told.isascii() and told != ""
    return plain and told != text


def alternatives(view: CaseView) -> Iterator[Evidence]:
    """A token has one logprob: that of its entry is that which it has among the alternatives, and greedy takes the best."""
    for response in completions(view):
        for choice in response.choices:
            for entry in choice.logprobs or ():
                tops = mappings(entry.get("top_logprobs"))
                same = [one.get("logprob") for one in tops if one.get("token") == entry.get("token")]
                value = entry.get("logprob")
                if not entry.get("token"):  # the end of the turn, whose text servers show or leave out
                    same = same or [one.get("logprob") for one in tops if _close(value, one.get("logprob"))]
                if tops and not same and _takes_the_best(response.request, choice):
                    yield broken(
                        37,
                        f"{show(entry.get('token'))} among the alternatives: greedy takes the best",
                        show(tops),
                        response.n,
                    )
                    break
                if same and _is_listed(entry, tops) and not any(_close(value, one) for one in same):
                    yield broken(
                        37,
                        f"logprob {same[0]} for {show(entry.get('token'))}, as among the alternatives",
                        str(value),
                        response.n,
                    )
                    break


def _is_listed(entry: JsonObject, tops: Sequence[JsonObject]) -> bool:
    """Whether the alternatives with the text of a token have to be that token. Several tokens have an empty text, or U+FFFD: one that is less
    likely than all that are listed may be none of them."""
    value, text = entry.get("logprob"), entry.get("token")
    if not isinstance(value, int | float):
        return False
    listed = [one for top in tops if isinstance(one := top.get("logprob"), int | float)]
    shared = not text or (isinstance(text, str) and BROKEN_LETTER in text)
    return not shared or value >= min(listed, default=value)


CONSTRAINTS = ("logit_bias", "frequency_penalty", "presence_penalty", "ignore_eos", "min_tokens")


def _takes_the_best(request: JsonObject, choice: Choice) -> bool:
    """Whether greedy decoding samples the most likely token: not under a grammar, a bias or a penalty, which need not be in the logprobs."""
    form = request.get("response_format")
    forced = request.get("tool_choice") not in (None, "auto", "none") or any(functions(choice))
    grammar = forced or (isinstance(form, dict) and form.get("type") != "text")
    return request.get("temperature") == 0 and not grammar and not any(request.get(name) for name in CONSTRAINTS)


def alternatives_together(view: CaseView) -> Iterator[Evidence]:
    """The alternatives of a token are no more than all."""
    for response in completions(view):
        entries = [entry for choice in response.choices for entry in choice.logprobs or () if entry.get("top_logprobs")]
        sums = [_probability(mappings(entry.get("top_logprobs"))) for entry in entries]
        largest = max(sums, default=0.0)
        if largest > 1 + ROUNDING:
            entry = entries[sums.index(largest)]
            observed = f"{largest:.3g} at {show(entry.get('token'))}: {show(entry.get('top_logprobs'))}"
            yield broken(66, "probabilities of the alternatives that add up to at most 1", observed, response.n)
        elif sums:
            yield satisfied(66)


def _probability(tops: Sequence[JsonObject]) -> float:
    """Of all alternatives together; one that is listed twice counts once."""
    values = {(str(one.get("token")), value) for one in tops if _is_logprob(value := one.get("logprob"))}
    return math.fsum(math.exp(value) for _, value in values if isinstance(value, int | float))


def _close(a: object, b: object) -> bool:
    return isinstance(a, int | float) and isinstance(b, int | float) and abs(a - b) <= 1e-4 + 1e-3 * abs(a)
