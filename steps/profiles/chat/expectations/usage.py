"""The tokens that a completion counts, and those that are sampled for a client that has disconnected."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from rollout_conformance.steps.engine.findings import Evidence
from rollout_conformance.steps.engine.json_diff import show
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ComparedResponses, ResponseExpectation
from rollout_conformance.steps.http.metrics import samples, total
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.chat.view import CaseView

PLACE_OF_USAGE = "CHAT-053"
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
GENERATED = "vllm:generation_tokens_total"
RUNNING = "vllm:num_requests_running"


@verb("prompt_grows", short="of", example="[first, second, third]")
@phrase("each prompt has more tokens than the one before")
@dataclass(frozen=True, slots=True)
class PromptGrows(ComparedResponses):
    """Each of these responses counts more prompt tokens than the one before: nothing of the conversation is left out."""

    or_rejected: bool = False
    "Whether the requests may be rejected with a 4xx status instead."

    @property
    def may_be_rejected(self) -> bool:
        return self.or_rejected

    def compare(self, responses: list[ChatResponse], view: CaseView) -> Check | None:
        if self.or_rejected and any(one.is_client_error for one in responses):
            return Check(True, "prompt_tokens that grow, or a 4xx", "a 4xx")
        counts = [one.usage.get("prompt_tokens") for one in responses]
        known = [count for count in counts if isinstance(count, int)]
        if len(known) < len(counts) or len(known) < 2:
            return None
        ok = all(a < b for a, b in pairwise(known))
        return Check(ok, "prompt_tokens that grow with the conversation", show(counts))


@verb("same_usage", short="of", example="[first, second]")
@phrase("{of:several_responses} have the same usage")
@dataclass(frozen=True, slots=True)
class SameUsage(ComparedResponses):
    """The first and the last of these responses count the same tokens."""

    rests_on_determinism: ClassVar = True

    def compare(self, responses: list[ChatResponse], view: CaseView) -> Check | None:
        usages = [{name: one.usage.get(name) for name in COUNTS} for one in responses]
        if not all(any(usage.values()) for usage in usages):
            return None
        return Check(usages[0] == usages[-1], show(usages[0]), show(usages[-1]))


@verb("usage_chunk", short="present", example=("false", "{of: first}"))
@phrase("{of:responses} ends with usage", present=True)
@phrase("{of:several_responses} end with usage", present=True)
@phrase("{of:responses} has no usage", present=False)
@phrase("{of:several_responses} have no usage", present=False)
@dataclass(frozen=True, slots=True)
class UsageChunk(ResponseExpectation):
    """A stream ends with one chunk of usage that has no choices; or, where none was requested, no chunk has usage. Where usage stands is
    one breach, whatever the case counts with it."""

    present: bool = True
    "Whether there has to be usage."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        about = PLACE_OF_USAGE if requirement.startswith("CHAT-") else requirement
        yield from ResponseExpectation.judge(self, view, about)

    def check(self, response: ChatResponse, view: CaseView) -> Check:
        chunks = [data for data in response.data if isinstance(data, Mapping)]
        with_usage = [chunk for chunk in chunks if chunk.get("usage") is not None]
        last = bool(chunks) and with_usage == chunks[-1:] and not chunks[-1].get("choices")
        expected = "usage in one last chunk without choices" if self.present else "no usage"
        observed = f"usage in {len(with_usage)} of {len(chunks)} chunks{_choices_beside(with_usage)}"
        ok = last if self.present else not with_usage
        return Check(ok, expected, observed, ignored=self.present and not with_usage)


def _choices_beside(with_usage: Sequence[Mapping[str, object]]) -> str:
    """The choices of the chunks with usage, where they have any."""
    beside = [chunk["choices"] for chunk in with_usage if chunk.get("choices")]
    return f", with choices: {show(beside[0])}" if beside else ""


@verb("generation_aborted", example="{before: before, after: after, tokens: 800}")
@phrase(
    "between {before:response} and {after:response} at most {tokens} tokens are sampled, and no request runs any more"
)
@dataclass(frozen=True, slots=True)
class GenerationAborted:
    """Between two readings of the metrics, the second taken when everything was to be idle, at most so many tokens were sampled.

    What is cancelled has to be longer than that by itself: `ignore_eos: true`, and a `max_tokens` above `tokens`.
    """

    before: ResponseName
    "The earlier reading."
    after: ResponseName
    "The later reading."
    tokens: int
    "The largest number of tokens that is right."
    gauge: str = RUNNING
    "The metric that counts the requests that run."

    def judge(self, view: CaseView, requirement: str) -> Iterator[Evidence]:
        pages = [samples(one.text) for name in (self.before, self.after) for one in view.named(name)]
        running = total(pages[-1], self.gauge) if len(pages) == 2 else None
        if running is None:
            return
        sampled = (total(pages[1], GENERATED) or 0.0) - (total(pages[0], GENERATED) or 0.0)
        expected = f"no running request, at most {self.tokens} tokens sampled"
        observed = f"{running:g} running, {sampled:g} tokens sampled"
        yield Check(running == 0 and sampled <= self.tokens, expected, observed).evidence(requirement)
