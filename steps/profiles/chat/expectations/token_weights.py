"""Whether `logit_bias`, `frequency_penalty` and `presence_penalty` have the effect that the API gives them.

The logprobs of the response without the parameter say where it has to change the most likely token. Where they show no such place, nothing is
decided.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mappings
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, JudgesRejections, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.chat.expectations.samples import logprob
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView

MARGIN = 0.5  # nats: logprobs of equal requests differ by less, whatever the batch
WINDOW = 64  # tokens: some servers count only so many
Entry = Mapping[str, object]


@verb("first_token_banned", example="{of: banned, like: greedy}")
@dataclass(frozen=True, slots=True)
class FirstTokenBanned(JudgesRejections, ResponseExpectation):
    """The response does not begin with the first token of another one, whose `logit_bias` it was sent with as -100; or it is rejected."""

    like: ResponseName
    "The response to the same request without `logit_bias`."

    def check(self, response: ChatResponse, view: CaseView) -> Check | None:
        if response.is_client_error:
            return Check(True, "another first token, or a 4xx", f"{response.status}")
        plain, ids = view.named(self.like)[0].first_choice.ids, response.first_choice.ids
        if not plain or not ids:
            return None
        expected = f"another first token than {plain[0]}, which has a logit_bias of -100"
        return Check(ids[0] != plain[0], expected, f"token_ids {show(ids[:4])}", ignored=True)


@verb("penalty_has_effect", example="{of: penalized, like: plain}")
@phrase("the penalty of {of:response} changes {like:response}, or is rejected")
@dataclass(frozen=True, slots=True)
class PenaltyHasEffect(JudgesRejections, ResponseExpectation):
    """Where a token was repeated that a penalty of the request makes less likely than another one, the response has another token there, or
    differs before. It is compared with the response to the same request without the penalty; or it is rejected."""

    like: ResponseName
    "The response to the same request without the penalty."

    def check(self, response: ChatResponse, view: CaseView) -> Check | None:
        if response.is_client_error:
            return Check(True, "other tokens, or a 4xx", f"{response.status}")
        without = view.named(self.like)[0]
        plain, penalized = without.first_choice.logprobs, response.first_choice.logprobs
        if not plain or not penalized or _has_hidden_tokens(without, len(plain)):
            return None
        found = _first_change(plain[:WINDOW], response.request)
        if found is None:
            return None
        position, told = found
        ok = _texts(plain[: position + 1]) != _texts(penalized[: position + 1])
        return Check(ok, f"another token at position {position} or before: {told}", "the same tokens", ignored=True)


def _has_hidden_tokens(response: ChatResponse, shown: int) -> bool:
    """Whether there are tokens without logprobs, such as those of the reasoning: a token that is among them is repeated as well."""
    return response.usage.get("completion_tokens", shown) != shown


def _first_change(entries: Sequence[Entry], request: Mapping[str, object]) -> tuple[int, str] | None:
    """The first position at which another token has the higher score under the penalties, and why."""
    counts: Counter[str] = Counter()
    prompt = _prompt_text(request)
    for position, entry in enumerate(entries):
        token = str(entry.get("token"))
        penalty = _penalty(request, counts[token])
        for other in mappings(entry.get("top_logprobs")):
            text = str(other.get("token"))
            unseen = not counts[text] and text.strip().lower() not in prompt
            if text != token and unseen and logprob(other) > logprob(entry) - penalty + MARGIN:
                values = f"{show(token)} {logprob(entry):.2f}, {show(text)} {logprob(other):.2f}"
                return position, f"{values}, and a penalty of {penalty:g} for {counts[token]} repetition(s)"
        counts[token] += 1
    return None


def _penalty(request: Mapping[str, object], count: int) -> float:
    frequency, presence = (request.get(name) for name in ("frequency_penalty", "presence_penalty"))
    return _number(frequency) * count + (_number(presence) if count else 0.0)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _prompt_text(request: Mapping[str, object]) -> str:
    """What the prompt has, too, and some servers count as repeated."""
    return " ".join(str(message.get("content")) for message in mappings(request.get("messages"))).lower()


def _texts(entries: Sequence[Entry]) -> list[object]:
    return [entry.get("token") for entry in entries]
