"""What is demanded of what was sampled: lengths, reasons to stop, and logprobs that training computes again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.lenient_json import JSON, listed, mapping
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ComparedResponses, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.training.accounting import CONTROL, difference
from rollout_conformance.steps.profiles.training.prompt_logprobs import prompt_of
from rollout_conformance.steps.profiles.training.responses import SIGNAL, TrainingResponse, number
from rollout_conformance.steps.profiles.training.view import TrainingView


def tokens_of(sequence: Mapping[str, object]) -> list[JSON]:
    return listed(sequence.get("tokens"))


def logprobs_of(sequence: Mapping[str, object]) -> list[float]:
    return [number(one) for one in listed(sequence.get("logprobs"))]


def max_tokens_of(response: TrainingResponse) -> int | None:
    asked = response.request.get("max_tokens", mapping(response.request.get("sampling_params")).get("max_tokens"))
    return asked if isinstance(asked, int) else None


@verb("sampled", short="count", example=("1", "{of: second, count: 4}"))
@phrase("{of:response} has {count} sampled sequence(s)")
@dataclass(frozen=True, slots=True)
class Sampled(ResponseExpectation[TrainingResponse, TrainingView]):
    """So many sequences, each with a logprob of at most 0 for every token, and no more tokens than requested. In the dialects of the tinker SDK
    `stop_reason` is `length` where a sequence has as many tokens as requested, and `stop` only where it may have ended by itself."""

    count: int = 1
    "How many sequences."

    def check(self, response: TrainingResponse, view: TrainingView) -> "Check | Sequence[Check]":
        sequences = response.sequences
        counted = Check(
            len(sequences) == self.count, f"{self.count} sequences", f"{len(sequences)}: {response.shown()}"
        )
        return [counted, *(check for n, one in enumerate(sequences) for check in _of_sequence(response, n, one))]


def _of_sequence(response: TrainingResponse, n: int, sequence: Mapping[str, object]) -> Iterator[Check]:
    tokens, logprobs = tokens_of(sequence), logprobs_of(sequence)
    shown = f"sequence {n}: {len(tokens)} tokens and {len(logprobs)} logprobs"
    yield Check(len(tokens) == len(logprobs), "one logprob a token", shown)
    above = [one for one in logprobs if not one <= 1e-4]
    yield Check(not above, "logprobs of at most 0", f"sequence {n}: {above[:3]}")
    most = max_tokens_of(response)
    if most is None:
        return
    yield Check(len(tokens) <= most, f"at most {most} tokens", shown)
    if response.dialect != SIGNAL:
        reason = sequence.get("stop_reason")
        right = ("length", "stop") if len(tokens) == most else ("stop",)
        yield Check(
            reason in right, f"stop_reason {' or '.join(right)} with {len(tokens)} of {most} tokens", f"{reason!r}"
        )


@verb("outputs", short="count", example=("1", "{of: second, count: 3}"))
@dataclass(frozen=True, slots=True)
class Outputs(ResponseExpectation[TrainingResponse, TrainingView]):
    """So many outputs, and as many rows of token ids, in the dialect `signal`."""

    count: int = 1
    "How many."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        found = [len(listed(response.result.get(name))) for name in ("outputs", "token_ids")]
        return Check(
            found == [self.count] * 2, f"{self.count} outputs and rows of token_ids", f"{found[0]} and {found[1]}"
        )


@verb("stop_reason", short="one_of", example=("length", "{of: second, one_of: [stop]}"))
@phrase("the reason to stop of {of:response} is {one_of:names}")
@dataclass(frozen=True, slots=True)
class StopReason(ResponseExpectation[TrainingResponse, TrainingView]):
    """Every sampled sequence has one of these reasons."""

    one_of: tuple[str, ...]
    "length or stop."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check:
        reasons = [one.get("stop_reason") for one in response.sequences]
        ok = bool(reasons) and all(one in self.one_of for one in reasons)
        return Check(ok, f"stop_reason {' or '.join(self.one_of)}", f"{reasons}")


@verb("same_tokens", short="of", example="[first, second]")
@phrase("{of:several_responses} have the same sampled tokens")
@dataclass(frozen=True, slots=True)
class SameTokens(ComparedResponses[TrainingResponse, TrainingView]):
    """The same tokens were sampled."""

    control: tuple[ResponseName, ...] = field(default=(), kw_only=True)
    "Responses whose tokens must differ; else nothing is judged."

    def compare(self, responses: list[TrainingResponse], view: TrainingView) -> Check | None:
        found = [[tokens_of(one) for one in response.sequences] for response in responses]
        others = [[tokens_of(one) for one in response.sequences] for response in view.named(*self.control)]
        if self.control and all(one == found[0] for one in others):
            return None
        odd = next((one for one in found if one != found[0]), None)
        return Check(odd is None and bool(found[0]), f"{found[0]}", f"{odd}")


@verb("not_copies", short="of", example="{of: sampled, control: [other]}")
@dataclass(frozen=True, slots=True)
class NotCopies(ResponseExpectation[TrainingResponse, TrainingView]):
    """Several sequences of one request are not copies of one."""

    control: tuple[ResponseName, ...] = ()
    "Samples with other seeds, whose tokens must differ from each other and from these; else nothing is judged."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        found = [tokens_of(one) for one in response.sequences]
        others = [tokens_of(one) for other in view.named(*self.control) for one in other.sequences[:1]]
        if len(found) < 2 or any(one == found[0] for one in others) or all(one == others[0] for one in others):
            return None
        return Check(any(one != found[0] for one in found), "sequences that differ", f"{len(found)} times {found[0]}")


@verb("sampled_anew", short="of", example="[one, again]")
@dataclass(frozen=True, slots=True)
class SampledAnew(ComparedResponses[TrainingResponse, TrainingView]):
    """Two requests without a seed have other sequences. Where the sequences of one request are equal already, nothing is judged."""

    def compare(self, responses: list[TrainingResponse], view: TrainingView) -> Check | None:
        found = [[tokens_of(one) for one in response.sequences] for response in responses]
        if len(found) < 2 or len(found[0]) < 3 or any(one in found[0][:n] for n, one in enumerate(found[0])):
            return None
        return Check(found[1] != found[0], "sequences that differ from request to request", f"twice {found[0]}")


@verb("ended_at_end", example="{of: [by_default], whole: without_stops}")
@dataclass(frozen=True, slots=True)
class EndedAtEnd(ResponseExpectation[TrainingResponse, TrainingView]):
    """A greedy sequence without stop tokens in its request ends at the token that ends a sequence."""

    whole: ResponseName = "first"
    "The sample with an empty list of stop tokens, which has that token; else nothing is judged."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        whole, end = next(iter(view.named(self.whole)), None), view.context.card.end_token
        if whole is None or not whole.sequences or not response.sequences:
            return None
        tokens, found = tokens_of(whole.sequences[0]), response.sequences[0]
        if end not in tokens[:-1]:
            return None
        at, reason = tokens.index(end), found.get("stop_reason")
        ok = tokens_of(found) in (tokens[:at], tokens[: at + 1]) and reason == "stop"
        return Check(ok, f"{tokens[:at]} with or without {end}, stop_reason stop", f"{tokens_of(found)}, {reason!r}")


@verb("length_without_stops", example="{of: without_stops, whole: by_default}")
@dataclass(frozen=True, slots=True)
class LengthWithoutStops(ResponseExpectation[TrainingResponse, TrainingView]):
    """With an empty list of stop tokens a sequence has as many tokens as requested, also where it would end by default."""

    whole: ResponseName = "first"
    "The sample without stop tokens in its request, which ended; else nothing is judged."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        ended = next(iter(view.named(self.whole)), None)
        if ended is None or not ended.sequences or ended.sequences[0].get("stop_reason") != "stop":
            return None
        most, found = max_tokens_of(response), response.sequences[0] if response.sequences else {}
        reason = found.get("stop_reason")
        ok = len(tokens_of(found)) == most and reason == "length"
        return Check(ok, f"{most} tokens, stop_reason length", f"{tokens_of(found)}, {reason!r}")


@verb("stopped_at", example="{of: second, whole: first}")
@phrase("{of:response} is {whole:response} up to its stop token")
@dataclass(frozen=True, slots=True)
class StoppedAt(ResponseExpectation[TrainingResponse, TrainingView]):
    """Each greedy sequence with a stop token is the one without it, up to that token, which is part of it or not; its reason is `stop`."""

    whole: ResponseName = "first"
    "The sample without the stop token."

    def check(self, response: TrainingResponse, view: TrainingView) -> "Sequence[Check] | None":
        whole = next(iter(view.named(self.whole)), None)
        stops = listed(mapping(response.request.get("sampling_params")).get("stop"))
        if whole is None or not whole.sequences or not response.sequences or not stops:
            return None
        tokens = tokens_of(whole.sequences[0])
        at = next((n for n, token in enumerate(tokens) if token in stops), None)
        if at is None:
            return None
        return [_stopped(one, tokens, at) for one in response.sequences]


def _stopped(sequence: Mapping[str, object], tokens: list[JSON], at: int) -> Check:
    found, reason = tokens_of(sequence), sequence.get("stop_reason")
    ok = found in (tokens[:at], tokens[: at + 1]) and reason == "stop"
    return Check(ok, f"{tokens[:at]} with or without {tokens[at]}, stop_reason stop", f"{found}, {reason!r}")


@verb("sampled_logprobs", example="{of: sampled, forward: again}")
@phrase("the sampled logprobs of {of:response} are those of {forward:response}")
@dataclass(frozen=True, slots=True)
class SampledLogprobs(ResponseExpectation[TrainingResponse, TrainingView]):
    """The logprobs of sampled tokens equal those that a forward of the same tokens returns."""

    forward: ResponseName = "it"
    "The forward of the prompt with the sampled tokens."
    control: tuple[ResponseName, ...] = ()
    "Responses of another model whose numbers for these tokens must differ; else nothing is judged."

    def check(self, response: TrainingResponse, view: TrainingView) -> "Sequence[Check] | None":
        again = next(iter(view.named(self.forward)), None)
        if again is None or len(again.logprobs) != len(response.sequences):
            return None
        for control in view.named(*self.control):
            if difference(control.numbers, again.numbers).most <= CONTROL * view.tolerance:
                return None
        return [self._of(view, n, one, again.logprobs[n]) for n, one in enumerate(response.sequences)]

    def _of(self, view: TrainingView, n: int, sequence: Mapping[str, object], row: list[float]) -> Check:
        sampled = logprobs_of(sequence)
        found = difference(sampled, row[len(row) - len(sampled) :] if sampled else row[:0])
        expected = f"sequence {n}: the logprobs of a forward of the same tokens (within {view.tolerance:g})"
        return Check(found.most <= view.tolerance, expected, found.text)


@verb("one_choice", short="of", example="{of: narrow, control: free}")
@dataclass(frozen=True, slots=True)
class OneChoice(ResponseExpectation[TrainingResponse, TrainingView]):
    """All sampled sequences are the same: the request leaves one token to choose."""

    control: ResponseName
    "The same request without that option, whose sequences must differ; else nothing is judged."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        found = [tokens_of(one) for one in response.sequences]
        free = [tokens_of(one) for control in view.named(self.control) for one in control.sequences]
        if response.outcome != "done" or len(found) < 2 or all(one == free[0] for one in free):
            return None
        return Check(all(one == found[0] for one in found), f"{len(found)} times the most probable token", f"{found}")


@verb("temperature_law", example="{of: sampled, forward: again}")
@phrase("the sampled logprobs of {of:response} follow its temperature")
@dataclass(frozen=True, slots=True)
class TemperatureLaw(ResponseExpectation[TrainingResponse, TrainingView]):
    """Of tokens that were sampled first behind one prompt, the differences of logprobs are those of a forward divided by the temperature;
    or the logprobs are those before the temperature is applied, which is as right."""

    forward: ResponseName = "it"
    "The forward of the prompt with the sampled tokens."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        again = next(iter(view.named(self.forward)), None)
        temperature = number(mapping(response.request.get("sampling_params")).get("temperature"))
        if again is None or len(again.logprobs) != len(response.sequences) or not temperature > 0:
            return None
        place = len(prompt_of(response)) - 1
        pairs = [
            (logprobs_of(one)[0], row[place])
            for one, row in zip(response.sequences, again.logprobs, strict=True)
            if logprobs_of(one) and len(row) > place
        ]
        return _law(pairs, temperature, view.tolerance)


def _law(pairs: Sequence[tuple[float, float]], temperature: float, tolerance: float) -> Check | None:
    if not pairs:
        return None
    low, high = min(pairs, key=lambda pair: pair[1]), max(pairs, key=lambda pair: pair[1])
    apart, whole = high[0] - low[0], high[1] - low[1]
    if abs(whole - whole / temperature) <= CONTROL * tolerance:
        return None  # the tokens are as probable as each other, and show nothing
    expected = f"log p(i) - log p(j) = {whole:.6g} / {temperature:g} = {whole / temperature:.6g}, or {whole:.6g}"
    near = min(abs(apart - whole / temperature), abs(apart - whole))
    return Check(near <= 2 * tolerance, expected, f"{high[0]:.6g} - {low[0]:.6g} = {apart:.6g}")
