"""What is demanded of the logprobs of a prompt: one for each token after the first, and the most probable tokens at each place."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.lenient_json import listed, mapping
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.checks import Check, ResponseExpectation
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.training.accounting import difference
from rollout_conformance.steps.profiles.training.responses import TrainingResponse, number
from rollout_conformance.steps.profiles.training.view import TrainingView


def prompt_of(response: TrainingResponse) -> list[object]:
    chunks = listed(mapping(response.request.get("prompt")).get("chunks"))
    return [token for chunk in chunks for token in listed(mapping(chunk).get("tokens"))]


@verb("prompt_logprobs", example="{of: sampled, forward: again}")
@phrase("{of:response} has the logprobs of its prompt")
@dataclass(frozen=True, slots=True)
class PromptLogprobs(ResponseExpectation[TrainingResponse, TrainingView]):
    """One logprob for each token of the prompt, the first null; those that follow equal the forward of the prompt, where one is named."""

    forward: ResponseName = ""
    "A forward of the prompt."

    def check(self, response: TrainingResponse, view: TrainingView) -> Sequence[Check]:
        return list(self._checks(response, view)) if response.outcome == "done" else ()

    def _checks(self, response: TrainingResponse, view: TrainingView) -> Iterator[Check]:
        values = listed(response.result.get("prompt_logprobs"))
        prompt = prompt_of(response)
        shown = f"{len(values)}: {values[:4]}"
        yield Check(len(values) == len(prompt), f"{len(prompt)} logprobs, the first null", shown)
        if not values:
            return
        first_is_empty = values[0] is None or math.isnan(number(values[0]))
        yield Check(first_is_empty, "null for the first token, which nothing precedes", shown)
        again = next(iter(view.named(self.forward)), None) if self.forward else None
        if again is not None and again.logprobs:
            row = again.logprobs[0][: len(prompt) - 1]
            found = difference([number(one) for one in values[1:]], row)
            expected = f"the logprobs of a forward of the prompt (within {view.tolerance:g})"
            yield Check(found.most <= view.tolerance, expected, found.text)


@verb("topk_prompt_logprobs", example="{of: sampled, forward: again}")
@dataclass(frozen=True, slots=True)
class TopkPromptLogprobs(ResponseExpectation[TrainingResponse, TrainingView]):
    """For each token of the prompt the most probable ones as pairs of id and logprob, nothing for the first token. The forward of the prompt has
    the same logprob for a token that is among them, and none above the first for one that is not."""

    forward: ResponseName
    "A forward of the prompt, whose targets are its next tokens."

    def check(self, response: TrainingResponse, view: TrainingView) -> Check | None:
        again = next(iter(view.named(self.forward)), None)
        if response.outcome != "done" or again is None or not again.logprobs:
            return None
        found, prompt = listed(response.result.get("topk_prompt_logprobs")), prompt_of(response)
        expected = f"{len(prompt)} lists of pairs [token, logprob] of the most probable tokens, the first one null"
        if len(found) != len(prompt) or any(not _pairs(one) for one in found[1:]):
            return Check(False, expected, f"{len(found)}: {found[:2]}")
        wrong = next(_other_values(found[1:], prompt[1:], again.logprobs[0], view.tolerance), "")
        return Check(not wrong, f"{expected}, as a forward of the prompt has them (within {view.tolerance:g})", wrong)


def _pairs(value: object) -> dict[object, float]:
    """The pairs of one token; none where the list is none of pairs."""
    pairs = [listed(one) for one in listed(value)]
    return {one[0]: number(one[1]) for one in pairs} if all(len(one) == 2 for one in pairs) else {}


def _other_values(
    found: Sequence[object], tokens: Sequence[object], row: list[float], tolerance: float
) -> Iterator[str]:
    """The places where the pairs are not those of the forward."""
    for n, (one, token, expected) in enumerate(zip(found, tokens, row, strict=False), start=1):
        pairs = _pairs(one)
        most = max(pairs.values())
        if token in pairs and not abs(pairs[token] - expected) <= tolerance:
            yield f"token {n}: {pairs[token]:.6g} for {token}, which has {expected:.6g} in the forward"
        if token not in pairs and not expected <= most + tolerance:
            yield f"token {n}: at most {most:.6g}, and {token} has {expected:.6g} in the forward"
