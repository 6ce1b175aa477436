"""How completions were sampled: the same ones where they have to be, others where they may be, and their logprobs."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal

from rollout_conformance.steps.engine.findings import Finding
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import JsonObject, mappings
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.chance import FALSE_POSITIVE_RATE, likelihood
from rollout_conformance.steps.http.checks import (
    Check,
    ComparedResponses,
    JudgesRejections,
    OptionallyRejectable,
    ResponseExpectation,
)
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.chat.expectations.samples import (
    compared,
    logprob,
    logprobs,
    same_sample,
    sampled,
    told_apart,
)
from rollout_conformance.steps.profiles.chat.invariants.completions import finish_reasons
from rollout_conformance.steps.profiles.chat.responses import ChatResponse, Choice
from rollout_conformance.steps.profiles.chat.view import CaseView

LEAST_SAMPLES = 8
NEARLY_ALL = 0.99  # of the probability: what is left over is rounding


@verb("same_completion", short="of", example=("[first, second]", "{of: both, by: text}"))
@phrase("{of:several_responses} have the same text", by="text")
@phrase("{of:several_responses} have the same token ids", by="token_ids")
@dataclass(frozen=True, slots=True)
class SameCompletion(ComparedResponses):
    """The first choices of these responses are equal, whether they were streamed or not."""

    rests_on_determinism: ClassVar = True

    by: Literal["token_ids", "text"] = "token_ids"
    "Whether token ids are compared (where there are none, text), or text, tool calls and finish reasons."

    def compare(self, responses: list[ChatResponse], view: CaseView) -> Check | None:
        if not all(one.is_completion for one in responses):
            return None  # what was refused is judged as a refusal
        first = responses[0]
        if _differ_without_stream(responses, self.by):
            return None  # CHAT-030 and CHAT-031 judge that, and a stream is right to differ as well
        different = (one for one in responses[1:] if not same_sample(first, one, self.by))
        odd = next(different, None)
        if odd is None:
            return Check(True, f"the same as {first.name}", "the same")
        expected, observed = told_apart(first, odd, self.by)
        pair = "as without `stream`" if odd.streamed and not first.streamed else f"{odd.name} as {first.name}"
        return Check(False, f"{pair}: {expected}", observed)


def _differ_without_stream(responses: list[ChatResponse], by: str) -> bool:
    """Whether streams are compared with equal requests without `stream` whose responses already differ."""
    first, *others = [one for one in responses if not one.streamed] or responses
    equal = [one for one in others if one.request == first.request]
    return len(others) + 1 < len(responses) and any(not same_sample(first, one, by) for one in equal)


@verb("same_finish", short="of", example="[first, second]")
@dataclass(frozen=True, slots=True)
class SameFinish(ComparedResponses):
    """The first choices of these responses end for the same reason. A stream without any breaks the order of its chunks (CHAT-051)."""

    rests_on_determinism: ClassVar = True

    def compare(self, responses: list[ChatResponse], view: CaseView) -> Check | None:
        if not all(one.is_completion and one.first_choice.finish for one in responses):
            return None
        if any(isinstance(one, Finding) for one in finish_reasons(view)):
            return None  # one of them is wrong by itself
        first, *others = responses
        odd = next((one for one in others if one.first_choice.finish != first.first_choice.finish), first)
        expected = f"finish_reason {show(first.first_choice.finish)} in {odd.name} as in {first.name}"
        return Check(odd is first, expected, f"finish_reason {show(odd.first_choice.finish)}")


@verb("same_completion_or_rejected", example="{of: parts, like: text}")
@phrase("{of:response} has the same text as {like:response}, or is rejected")
@dataclass(frozen=True, slots=True)
class SameCompletionOrRejected(JudgesRejections, ResponseExpectation):
    """The response has the text of another one, or is a 4xx."""

    rests_on_determinism: ClassVar = True

    like: ResponseName
    "The response that it is compared with."

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        expected, observed = compared(view.named(self.like)[0], response)
        ok = response.is_client_error or expected == observed
        return Check(ok, f"{show(expected)}, or a 4xx", f"{response.status}: {show(observed)}")


@verb("samples_differ", example="{of: samples, greedy: greedy}")
@dataclass(frozen=True, slots=True)
class SamplesDiffer(ComparedResponses):
    """Samples under several seeds are not all the same. A model that has only one answer decides nothing: its greedy one shows that, or the
    chance that this answer has by its own logprobs."""

    greedy: ResponseName = ""
    "A response to the same request at temperature 0: where that is the same too, nothing is decided."

    def compare(self, responses: list[ChatResponse], view: CaseView) -> Check | None:
        samples = {sampled(one.first_choice) for one in responses}
        greedy = {sampled(one.first_choice) for one in view.named(self.greedy)} if self.greedy else None
        first = responses[0].first_choice
        likely = bool(first.logprobs) and likelihood(logprobs(first), len(responses)) >= FALSE_POSITIVE_RATE
        if len(samples) == 1 and (samples == greedy or likely):
            return None
        seeds = len({one.request["seed"] for one in responses if "seed" in one.request})
        expected = f"{len(responses)} samples {f'under {seeds} seeds' if seeds else 'without a seed'}, not all equal"
        observed = f"all are {show(first.content)}"
        return Check(len(samples) > 1, expected, observed, ignored=True)


@verb("temperature_has_effect", example="{of: samples, greedy: greedy}")
@dataclass(frozen=True, slots=True)
class TemperatureHasEffect(ComparedResponses):
    """Samples at temperature 1 are not all the greedy one, unless that was likely by its own logprobs."""

    greedy: ResponseName
    "A response to the same request at temperature 0."
    chance: float = FALSE_POSITIVE_RATE
    "What is at least so likely decides nothing."

    def compare(self, responses: list[ChatResponse], view: CaseView) -> Check | None:
        greedy = view.named(self.greedy)[0].first_choice
        differ = {sampled(one.first_choice) for one in responses} != {sampled(greedy)}
        likely = likelihood(logprobs(greedy), len(responses))
        if not differ and likely >= self.chance:
            return None
        expected = f"{len(responses)} samples at temperature 1 that are not all the greedy one"
        observed = f"all are {show(greedy.content)}, which by its logprobs has a chance of {likely:.1g}"
        return Check(differ, expected, observed, ignored=True)


@verb("choices", short="count", example=("3", "{of: first, count: 3}"))
@dataclass(frozen=True, slots=True)
class Choices(ResponseExpectation):
    """The response has exactly so many choices, with the indices 0, 1 and so on."""

    count: int
    "How many."

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        indices = sorted(show(choice.raw.get("index")) for choice in response.choices)
        ok = indices == [str(n) for n in range(self.count)]
        expected = f"choices with the indices 0 to {self.count - 1}"
        observed = f"{len(indices)} choice(s), indices {', '.join(indices)}"
        return Check(ok, expected, observed, ignored=len(indices) == 1 != self.count)


@verb("choices_differ", short="of", example=("it", "{of: it, beside: others}"))
@dataclass(frozen=True, slots=True)
class ChoicesDiffer(ResponseExpectation):
    """The choices of one response are sampled independently: they are not all the same, unless that was likely.

    How likely it was is estimated from their logprobs, or from other samples of the same request: where nearly all of those differ,
    many choices that are all the same were not sampled independently.
    """

    beside: ResponseName = ""
    "Other samples of the same request, 8 at least."
    chance: float = FALSE_POSITIVE_RATE
    "What is at least so likely decides nothing."

    def check(self, response: ChatResponse, view: CaseView) -> Check | None:
        choices = response.choices
        differ = len({sampled(choice) for choice in choices}) > 1
        if not differ and (len(choices) < 2 or self._chance(view, response) >= self.chance):
            return None
        observed = f"all {len(choices)} are {show(response.first_choice.content)}"
        return Check(differ, "choices that are sampled independently", observed)

    def _chance(self, view: CaseView, response: ChatResponse) -> float:
        again = len(response.choices) - 1
        others = [sampled(one.first_choice) for one in view.named(self.beside)] if self.beside else []
        if len(others) >= LEAST_SAMPLES:
            # at most so much of all samples is of one text, as far as these show (the rule of three where all differ)
            share = max(*Counter(others).values(), 3) / len(others)
            return float(min(share**again, likelihood(logprobs(response.first_choice), again)))
        return likelihood(logprobs(response.first_choice), again)


@verb("same_logprobs", short="of", example="[first, second]")
@phrase("{of:several_responses} have the same logprobs")
@dataclass(frozen=True, slots=True)
class SameLogprobs(ComparedResponses):
    """The first and the last of these responses have the same logprobs, as nearly as batches of other sizes allow. Where the first has none,
    nothing is decided; the end of the turn may have an entry in one of them only, unless token ids say what was sampled."""

    rests_on_determinism: ClassVar = True

    within: float = 0.1
    "The largest difference of two logprobs that counts as none."

    def compare(self, responses: list[ChatResponse], view: CaseView) -> Check | None:
        first, last = responses[0], responses[-1]
        if not all(one.request.get("logprobs") for one in (first, last)):
            return None  # logprobs were rejected beside something else (CHAT-063)
        if not any(choice.logprobs for one in (first, last) for choice in one.choices):
            return Check(True, "no logprobs", "no logprobs")  # a reply without content, which needs none
        choices = list(zip(first.choices, last.choices, strict=False))
        checks = [self._compared(one, other, n) for n, (one, other) in enumerate(choices) if logprobs(one)]
        return next((check for check in checks if not check.ok), checks[0] if checks else None)

    def _compared(self, first: Choice, last: Choice, choice: int) -> Check:
        pair = logprobs(first), logprobs(last)
        far = next((n for n, (a, b) in enumerate(zip(*pair, strict=False)) if abs(a - b) > self.within), None)
        counts = [len(values) for values in pair]
        more = 0 if first.ids is not None and last.ids is not None else 1
        if far is None:
            ok = min(counts) > 0 and abs(counts[0] - counts[1]) <= more
            expected, observed = (f"{count} logprobs in choice {choice}" for count in counts)
            return Check(ok, expected, observed)
        expected, observed = (_numbered(one, far, choice) for one in (first, last))
        return Check(False, expected, observed)


def _numbered(one: Choice, n: int, choice: int) -> str:
    """One of the logprobs of a choice, with its token."""
    values, token = logprobs(one), (one.logprobs or [])[n].get("token")
    return f"{len(values)} logprobs in choice {choice}, number {n} ({show(token)}) is {values[n]:g}"


@verb("top_logprobs", short="count", example=("2", "{of: first, count: 50, or_rejected: true}"))
@phrase("each token of {of:responses} has {count} alternatives")
@dataclass(frozen=True, slots=True)
class TopLogprobs(OptionallyRejectable):
    """Each token has exactly so many alternatives, the most likely first; one more where the sampled token is none of them."""

    count: int
    "How many."

    def check(self, response: ChatResponse, view: CaseView) -> Check | None:
        entries, content = response.first_choice.logprobs or [], response.first_choice.content
        if response.is_completion and not entries and not content:
            return None  # a reply that was cut within its reasoning, which needs no logprobs
        found = [mappings(entry.get("top_logprobs")) for entry in entries]
        values = [self._best(entry, tops) for entry, tops in zip(entries, found, strict=True)]
        complete = bool(entries) and all(self._counts(*pair) for pair in zip(entries, found, strict=True))
        ordered = all(some == sorted(some, reverse=True) for some in values)
        counts = " or ".join(map(str, sorted({len(tops) for tops in found}))) or "no logprobs, so no"
        observed = f"{counts} alternatives" + ("" if ordered else ", not the most likely first")
        expected = f"{self.count} alternatives for each token, the most likely first"
        ok = (self.or_rejected and response.is_client_error) or (complete and ordered)
        return Check(ok, expected, observed, ignored=not complete)

    def _counts(self, entry: JsonObject, tops: list[JsonObject]) -> bool:
        """One more is right where the sampled token is none of the most likely."""
        if len(tops) == self.count + 1:
            own = [logprob(one) for one in tops if one.get("token") == entry.get("token")]
            return bool(own) and min(own) <= min(logprob(one) for one in tops)
        return len(tops) == self.count or self._has_no_more(tops)

    def _has_no_more(self, tops: list[JsonObject]) -> bool:
        """Fewer are right where no other token is possible, as after a grammar or within a call that is required."""
        return 0 < len(tops) < self.count and sum(math.exp(min(0.0, logprob(one))) for one in tops) > NEARLY_ALL

    def _best(self, entry: JsonObject, tops: list[JsonObject]) -> list[float]:
        """The logprobs of the alternatives, the sampled token left out where it is one too many."""
        more = len(tops) > self.count
        return [logprob(one) for one in tops if not (more and one.get("token") == entry.get("token"))]
