"""What a case may demand of replies: one frozen value a demand, judged on the whole case.

`ignored` is said of a parameter that was accepted without any effect: a breach of its own kind, because nobody is told.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import jsonschema_rs

from rollout_conformance.steps.engine.findings import Evidence, Finding, Satisfied
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.lenient_json import mappings
from rollout_conformance.steps.engine.trace import NotJson, parse
from rollout_conformance.steps.profiles.chat.replies import DONE, CaseView, Choice, Reply, functions

LEAST_SAMPLES = 8
PLACE_OF_USAGE = "CHAT-053"
LEAST_SHARE = 0.1  # of the time of a stream, between its first and its last chunk; the rest may be the prompt's
BIG = 2**53
TOGETHER_S = 0.1  # a stream that takes less than this shows nothing


def verdict(
    requirement: str, ok: bool, expected: str, observed: str, *replies: Reply, ignored: bool = False
) -> Evidence:
    """`ignored` counts only where every request was accepted: what is refused is not ignored."""
    numbers = tuple(reply.n for reply in replies)
    accepted = all(reply.status is not None and 200 <= reply.status < 300 for reply in replies)
    return (
        Satisfied(requirement)
        if ok
        else Finding(requirement, expected, observed, numbers, ignored=ignored and accepted)
    )


def first(reply: Reply) -> Choice:
    return reply.choices[0] if reply.choices else Choice({})


def _unreadable(reply: Reply) -> bool:
    """Whether a completion that was asked for came as something that is no JSON."""
    return reply.status == 200 and bool(reply.request) and isinstance(reply.body, NotJson)


@dataclass(frozen=True, slots=True)
class Answered:
    """Each of these replies has one of the statuses; 200 where nothing is said."""

    of: str = "it"
    statuses: tuple[int, ...] = (200,)

    @property
    def may_be_refused(self) -> bool:
        """Whether the request may be answered otherwise than with a reply; then a refusal is judged here."""
        return any(status >= 300 for status in self.statuses)

    @property
    def must_be_refused(self) -> bool:
        """Whether no reply would be right; then an error of the engine is judged here as well."""
        return all(status >= 400 for status in self.statuses)

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            expected = f"{' or '.join(map(str, self.statuses))}"
            yield verdict(
                requirement,
                reply.status in self.statuses and not _unreadable(reply),
                expected,
                f"{reply.status}: {show(reply.body)}",
                reply,
            )


@dataclass(frozen=True, slots=True)
class Refused:
    """A 4xx, whatever its body is."""

    may_be_refused: ClassVar[bool] = True
    must_be_refused: ClassVar[bool] = True
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            if reply.too_long and reply.status == 200 and not view.context.tells_context:
                continue  # its context may be larger than what was sent
            ok = reply.status is not None and 400 <= reply.status < 500
            yield verdict(requirement, ok, "a 4xx", f"{reply.status}: {show(reply.body)}", reply)


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of models, each with an id."""

    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            models = [one.get("id") for one in mappings(reply.fields.get("data"))]
            ok = bool(models) and all(isinstance(name, str) and name for name in models)
            yield verdict(requirement, ok, "data: a list of models, each with an id", show(reply.body), reply)


@dataclass(frozen=True, slots=True)
class Alike:
    """These replies are of one text, or of the same ids, whether they were streamed or not."""

    of: tuple[str, ...]
    by: str = "ids"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        replies = [reply for name in self.of for reply in view.named(name)]
        shown = [_sample(first(reply), self.by) for reply in replies]
        differing = next((n for n, one in enumerate(shown) if one != shown[0]), None)
        if differing is None:
            yield Satisfied(requirement)
        else:
            expected = f"{replies[differing].name} as {replies[0].name}: {show(shown[0])}"
            yield Finding(requirement, expected, show(shown[differing]), (replies[0].n, replies[differing].n))


def _sample(choice: Choice, by: str) -> Any:
    if by == "ids" and choice.ids is not None:
        return list(choice.ids)
    # Where no ids say what was sampled, the spacing of arguments is the engine's own affair.
    calls = [
        {"name": name, "arguments": arguments if choice.ids else _read(arguments)}
        for name, arguments in functions(choice)
    ]
    return {"content": choice.content, "calls": calls, "finish": choice.finish}


@dataclass(frozen=True, slots=True)
class AlikeOrRefused:
    """The reply says what another one says, or there is none but a 4xx."""

    may_be_refused: ClassVar[bool] = True
    of: str
    like: str

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        reply, other = view.named(self.of)[0], view.named(self.like)[0]
        if reply.status is not None and 400 <= reply.status < 500:
            yield Satisfied(requirement)
            return
        expected, observed = _sample(first(other), "text"), _sample(first(reply), "text")
        yield verdict(
            requirement,
            expected == observed,
            f"{show(expected)}, or a 4xx",
            f"{reply.status}: {show(observed)}",
            other,
            reply,
        )


def _read(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


@dataclass(frozen=True, slots=True)
class NotAllAlike:
    """Of these samples not all are the same. A model that has only one answer decides nothing: greedy is compared with them too."""

    of: str
    greedy: str = ""

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        replies = view.named(self.of)
        samples = {_text(first(reply)) for reply in replies}
        if len(samples) > 1:
            yield Satisfied(requirement)
        elif not self.greedy or samples != {_text(first(reply)) for reply in view.named(self.greedy)}:
            expected = f"{len(replies)} samples under {len(replies)} seeds, not all equal"
            yield verdict(
                requirement, False, expected, f"all are {show(first(replies[0]).content)}", replies[0], ignored=True
            )


@dataclass(frozen=True, slots=True)
class Sampled:
    """These samples are not all what `greedy` says. How likely it is that they are anyway, its own logprobs tell."""

    of: str
    greedy: str
    chance: float = 1e-3

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        replies, greedy = view.named(self.of), first(view.named(self.greedy)[0])
        if {_text(first(reply)) for reply in replies} != {_text(greedy)}:
            yield Satisfied(requirement)
            return
        likely = _likely(greedy, len(replies))
        if likely < self.chance:
            expected = f"{len(replies)} samples at temperature 1 that are not all the greedy one"
            observed = f"all are {show(greedy.content)}, which by its logprobs has a chance of {likely:.1g}"
            yield verdict(requirement, False, expected, observed, replies[0], ignored=True)


def _text(choice: Choice) -> str:
    """What tells two samples apart: their text, and their calls."""
    return json.dumps(_sample(choice, "text"))


def _likely(choice: Choice, times: int) -> float:
    """How likely it is, by its own logprobs, that this choice is sampled so many times; 1 where it has none."""
    entries = choice.logprobs or []
    total = sum(value for value in map(_logprob, entries) if math.isfinite(value))
    return math.exp(min(0.0, total) * times)


@dataclass(frozen=True, slots=True)
class Varied:
    """The choices of one reply are sampled each for itself: not all are the same, unless that was likely.

    How likely it was, their logprobs tell, or the samples `beside` of the same question: where nearly all of those differ, many choices
    that are all the same were not sampled.
    """

    of: str = "it"
    beside: str = ""
    chance: float = 1e-3

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            if len({_text(choice) for choice in reply.choices}) > 1:
                yield Satisfied(requirement)
            elif len(reply.choices) > 1 and self._chance(view, reply) < self.chance:
                observed = f"all {len(reply.choices)} are {show(first(reply).content)}"
                yield Finding(requirement, "choices that are sampled each for itself", observed, (reply.n,))

    def _chance(self, view: CaseView, reply: Reply) -> float:
        again = len(reply.choices) - 1
        others = [_text(first(other)) for other in view.named(self.beside)] if self.beside else []
        if len(others) >= LEAST_SAMPLES:
            # at most so much of all samples is of one text, as far as these tell (the rule of three where all differ)
            share = max(*Counter(others).values(), 3) / len(others)
            return float(min(share**again, _likely(first(reply), again)))
        return _likely(first(reply), again)


@dataclass(frozen=True, slots=True)
class Grows:
    """Each of these replies counts more prompt tokens than the one before: nothing of the conversation is left out."""

    of: tuple[str, ...]

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        replies = [reply for name in self.of for reply in view.named(name)]
        counts = [reply.usage.get("prompt_tokens") for reply in replies]
        known = [count for count in counts if isinstance(count, int)]
        if len(known) < len(counts) or len(known) < 2:
            return
        ok = all(a < b for a, b in pairwise(known))
        yield verdict(requirement, ok, "prompt_tokens that grow with the conversation", show(counts), *replies)


@dataclass(frozen=True, slots=True)
class SameUsage:
    """These replies count the same."""

    of: tuple[str, ...]

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        replies = [reply for name in self.of for reply in view.named(name)]
        names = ("prompt_tokens", "completion_tokens", "total_tokens")
        usages = [{n: reply.usage.get(n) for n in names} for reply in replies]
        if all(any(usage.values()) for usage in usages):
            yield verdict(requirement, usages[0] == usages[-1], show(usages[0]), show(usages[-1]), *replies)


@dataclass(frozen=True, slots=True)
class SameLogprobs:
    """These replies give their tokens the same logprobs, as nearly as batches of other sizes allow."""

    of: tuple[str, ...]
    within: float = 0.1

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        replies = [reply for name in self.of for reply in view.named(name)]
        values = [_values(first(reply)) for reply in replies]
        if not all(values):
            return
        pairs = list(zip(values[0], values[-1], strict=False))
        far = next((n for n, (a, b) in enumerate(pairs) if abs(a - b) > self.within), None)
        ok = far is None and len(values[0]) == len(values[-1])
        at = far or 0
        expected, observed = (f"{len(some)} logprobs, number {at}: {some[at]:g}" for some in (values[0], values[-1]))
        yield verdict(requirement, ok, expected, observed, *replies)


def _values(choice: Choice) -> list[float]:
    return [value for value in map(_logprob, choice.logprobs or ()) if value > -math.inf]


def _logprob(entry: Mapping[str, Any]) -> float:
    """What is no logprob is less likely than anything."""
    value = entry.get("logprob")
    return value if isinstance(value, float) else float(value) if type(value) is int and abs(value) < BIG else -math.inf


@dataclass(frozen=True, slots=True)
class IsJson:
    """The content is a JSON object."""

    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            content = first(reply).content
            try:
                ok = isinstance(json.loads(content), dict)
            except ValueError:
                ok = first(reply).finish == "length"  # cut in the middle of what may be one
            yield verdict(requirement, ok, "content that is a JSON object", show(content), reply)


@dataclass(frozen=True, slots=True)
class Fits:
    """The content is JSON that fits this schema (JSON text), or the request was refused."""

    may_be_refused: ClassVar[bool] = True
    schema: str
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        valid = jsonschema_rs.validator_for(json.loads(self.schema))
        for reply in view.named(self.of):
            refused = reply.status is not None and 400 <= reply.status < 500
            content, cut = first(reply).content, first(reply).finish == "length"
            value = parse(content.encode("utf-8", "replace"))
            fits = refused or (cut if isinstance(value, NotJson) else valid.is_valid(value))
            yield verdict(requirement, fits, f"content that fits {self.schema}", show(content), reply, ignored=not fits)


@dataclass(frozen=True, slots=True)
class MoreThan:
    """The reply is not the one to a part of the question, unless the whole question in other forms leads to that as well."""

    of: str
    part: str
    wholes: tuple[str, ...]

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        reply, part = view.named(self.of)[0], view.named(self.part)[0]
        wholes = [view.named(name)[0] for name in self.wholes]
        if not reply.good or any(_text(first(part)) == _text(first(whole)) for whole in wholes):
            return
        expected = f"an answer to all of it, such as {show(first(wholes[0]).content)}"
        same = _text(first(reply)) == _text(first(part))
        yield verdict(requirement, not same, expected, f"that to its first part, {show(first(reply).content)}", reply)


@dataclass(frozen=True, slots=True)
class OneCall:
    """At most one call, where the same question led to several when they were allowed. A refusal is none."""

    may_be_refused: ClassVar[bool] = True
    of: str
    beside: str

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for several, reply in zip(view.named(self.beside), view.named(self.of), strict=True):
            if len(first(several).calls) > 1 and reply.status == 200:
                count = len(first(reply).calls)
                yield verdict(requirement, count < 2, "at most one call", f"{count} calls", reply, ignored=count > 1)


@dataclass(frozen=True, slots=True)
class Apart:
    """A word of one conversation is in the replies of no other."""

    word: str
    of: tuple[str, ...]

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in (reply for name in self.of for reply in view.named(name)):
            text = json.dumps([choice.raw for choice in reply.choices], default=str)
            expected = f"no {show(self.word)}: another conversation said it"
            yield verdict(requirement, self.word not in text, expected, show(first(reply).content), reply)


@dataclass(frozen=True, slots=True)
class Stops:
    """`cut` is the beginning of `full` before the first `at`, which `full` holds."""

    full: str
    cut: str
    at: str

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        full, cut = view.named(self.full)[0], view.named(self.cut)[0]
        if self.at not in first(full).content:
            return  # the model never says it: nothing was decided
        expected = first(full).content.partition(self.at)[0]
        observed = first(cut).content
        ok = observed.rstrip() == expected.rstrip() and first(cut).finish == "stop"
        shown = f"{show(observed)}, finish_reason {show(first(cut).finish)}"
        yield verdict(
            requirement,
            ok,
            f"{show(expected)}, finish_reason stop",
            shown,
            full,
            cut,
            ignored=observed == first(full).content,
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """The reply was cut after `tokens` tokens, and says so."""

    of: str
    tokens: int

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            count = len(first(reply).ids or ()) or reply.usage.get("completion_tokens")
            ok = count == self.tokens and first(reply).finish == "length"
            counted = "no count of tokens" if count is None else f"{count} tokens"
            observed = f"{counted}, finish_reason {show(first(reply).finish)}"
            more = isinstance(count, int) and count > self.tokens
            yield verdict(requirement, ok, f"{self.tokens} tokens, finish_reason length", observed, reply, ignored=more)


@dataclass(frozen=True, slots=True)
class Choices:
    """As many choices as were asked for, numbered."""

    of: str
    count: int

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            indices = sorted(show(choice.raw.get("index")) for choice in reply.choices)
            ok = indices == [str(n) for n in range(self.count)]
            expected = f"choices with the indices 0 to {self.count - 1}"
            observed = f"{len(indices)} choice(s), indices {', '.join(indices)}"
            yield verdict(requirement, ok, expected, observed, reply, ignored=len(indices) == 1 != self.count)


@dataclass(frozen=True, slots=True)
class TopLogprobs:
    """Each entry has `count` alternatives, best first; one more where the sampled token is none of them."""

    of: str
    count: int
    or_refused: bool = False

    @property
    def may_be_refused(self) -> bool:
        return self.or_refused

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            if self.or_refused and reply.status is not None and 400 <= reply.status < 500:
                yield Satisfied(requirement)
                continue
            entries = first(reply).logprobs or []
            found = [mappings(entry.get("top_logprobs")) for entry in entries]
            values = [self._best(entry, tops) for entry, tops in zip(entries, found, strict=True)]
            ok = bool(entries) and all(self._counts(entry, tops) for entry, tops in zip(entries, found, strict=True))
            ordered = all(some == sorted(some, reverse=True) for some in values)
            counts = " or ".join(map(str, sorted({len(tops) for tops in found}))) or "no logprobs, so no"
            observed = f"{counts} alternatives" + ("" if ordered else ", not best first")
            expected = f"{self.count} alternatives for each token, best first"
            yield verdict(requirement, ok and ordered, expected, observed, reply, ignored=not ok)

    def _counts(self, entry: Mapping[str, Any], tops: list[Any]) -> bool:
        """One more is right where the sampled token is none of the best."""
        if len(tops) == self.count + 1:
            own = [_logprob(one) for one in tops if one.get("token") == entry.get("token")]
            return bool(own) and min(own) <= min(_logprob(one) for one in tops)
        return len(tops) == self.count

    def _best(self, entry: Mapping[str, Any], tops: list[Any]) -> list[float]:
        """The logprobs of the alternatives, the sampled token left out where it is one too many."""
        more = len(tops) > self.count
        return [_logprob(one) for one in tops if not (more and one.get("token") == entry.get("token"))]


@dataclass(frozen=True, slots=True)
class Calls:
    """The reply calls these tools, in this order; `any` is whatever tool. None at all where the tuple is empty."""

    names: tuple[str, ...]
    of: str = "it"
    ignored: bool = False

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            called = [name for name, _ in functions(first(reply))]
            ok = len(called) == len(self.names) and all(
                w in ("any", c) for w, c in zip(self.names, called, strict=False)
            )
            ids = [str(call.get("id")) for call in first(reply).calls]
            whole = all(_is_call(call) for call in first(reply).calls) and len(set(ids)) == len(ids)
            expected = (
                f"calls of {', '.join(self.names)}, each of type function, with an id of its own and JSON arguments"
                if self.names
                else "no call"
            )
            observed = f"{show(first(reply).calls)}, content {show(first(reply).content)}"
            yield verdict(requirement, ok and whole, expected, observed, reply, ignored=self.ignored and not ok)


def _is_call(call: Mapping[str, Any]) -> bool:
    function = call.get("function")
    try:
        arguments = json.loads(function["arguments"]) if isinstance(function, Mapping) else None
    except (ValueError, TypeError, KeyError):
        return False
    named = isinstance(call.get("id"), str) and bool(call["id"]) and call.get("type") == "function"
    return isinstance(arguments, dict) and named


@dataclass(frozen=True, slots=True)
class Says:
    """The content of the reply holds this text."""

    text: str
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            observed = f"content: {show(first(reply).content)}"
            yield verdict(
                requirement, self.text in first(reply).content, f"{show(self.text)} in the content", observed, reply
            )


@dataclass(frozen=True, slots=True)
class BothTold:
    """Where two calls were made, the answer holds both results. A model that makes one call at a time decides nothing."""

    calls: str
    of: str
    results: tuple[str, ...] = ("8", "42")

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        asked, told = view.named(self.calls)[0], view.named(self.of)[0]
        if len(first(asked).calls) == len(self.results) and not first(told).calls:
            observed = first(told).content
            ok = all(result in observed for result in self.results)
            yield verdict(requirement, ok, f"{' and '.join(self.results)} in the content", show(observed), told)


@dataclass(frozen=True, slots=True)
class PromptHolds:
    """The prompt that the engine made holds this text."""

    text: str
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            if view.tokens is None or reply.prompt_ids is None:
                continue
            prompt = view.tokens.decode(reply.prompt_ids)
            yield verdict(requirement, self.text in prompt, f"a prompt with {show(self.text)}", show(prompt), reply)


@dataclass(frozen=True, slots=True)
class UsageChunk:
    """The stream ends with one chunk of usage and no choices, or, where none was asked for, has none: where usage stands is one breach,
    whatever the case counts with it."""

    sent: bool
    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        for reply in view.named(self.of):
            chunks = [data for data in reply.data if isinstance(data, Mapping)]
            with_usage = [chunk for chunk in chunks if chunk.get("usage") is not None]
            last = bool(chunks) and with_usage == chunks[-1:] and not chunks[-1].get("choices")
            expected = "usage in one last chunk without choices" if self.sent else "no usage"
            observed = f"usage in {len(with_usage)} of {len(chunks)} chunks{_choices_beside(with_usage)}"
            ok = last if self.sent else not with_usage
            about = PLACE_OF_USAGE if requirement.startswith("CHAT-") else requirement
            yield verdict(about, ok, expected, observed, reply, ignored=self.sent and not with_usage)


def _choices_beside(with_usage: Sequence[Mapping[str, Any]]) -> str:
    """The choices of the chunks with usage, where they have any."""
    beside = [chunk["choices"] for chunk in with_usage if chunk.get("choices")]
    return f", with choices: {show(beside[0])}" if beside else ""


@dataclass(frozen=True, slots=True)
class Arrives:
    """The chunks of a stream arrive one by one. A stream that is over in a moment shows nothing.

    Where the case asks several times, once is enough: on a busy machine it may be us who read late.
    """

    of: str = "it"

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        late = []
        for reply in view.named(self.of):
            times = [chunk.at for chunk in reply.chunks if chunk.data != DONE]
            began = view.trace.exchanges[reply.n].began
            if len(times) < 3 or times[-1] - began < TOGETHER_S:
                continue
            if (times[-1] - times[0]) / (times[-1] - began) > LEAST_SHARE:
                yield Satisfied(requirement)
                return
            observed = f"the first after {times[0] - began:.3f} s, the last after {times[-1] - began:.3f} s"
            late.append((f"{len(times)} chunks one after the other", observed, (reply.n,)))
        yield from (Finding(requirement, *one) for one in late[:1])


@dataclass(frozen=True, slots=True)
class Freed:
    """Between two readings of /metrics, the second taken when all was to be quiet, at most `tokens` tokens were sampled."""

    before: str
    after: str
    tokens: int
    gauge: str = field(default="vllm:num_requests_running")

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        before, after = view.gauges.get(self.before, {}), view.gauges.get(self.after, {})
        if self.gauge not in after:
            return
        running = after[self.gauge]
        counter = "vllm:generation_tokens_total"
        sampled = after.get(counter, 0.0) - before.get(counter, 0.0)
        ok = running == 0 and sampled <= self.tokens
        expected = f"no running request, at most {self.tokens} tokens sampled"
        yield verdict(requirement, ok, expected, f"{running:g} running, {sampled:g} tokens sampled")
