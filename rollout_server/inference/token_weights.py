"""What `logit_bias`, `frequency_penalty` and `presence_penalty` add to the score of a token (OpenAI chat API).

The rules know a turn as a whole. Where a request has one of these parameters, each of its tokens competes with the alternatives that its
logprobs name, as in a model.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rollout_conformance.rollout_server.inference import fake_logprobs
from rollout_conformance.rollout_server.inference.fake_logprobs import Scorer
from rollout_conformance.rollout_server.inference.wire import ChatRequest

STRONGEST_BIAS = 100.0  # OpenAI: between -100 and 100
ALTERNATIVES = 8


def bias(request: ChatRequest) -> dict[int, float]:
    given = request.logit_bias or {}
    return {int(id): max(-STRONGEST_BIAS, min(STRONGEST_BIAS, value)) for id, value in given.items()}


def frequency_penalty(request: ChatRequest) -> float:
    return request.frequency_penalty or 0.0


def presence_penalty(request: ChatRequest) -> float:
    return request.presence_penalty or 0.0


def weighted(scorer: Scorer, request: ChatRequest, prompt: Sequence[int], ids: Sequence[int]) -> list[int]:
    """The tokens that are sampled where the rules wanted `ids`."""
    biases, frequency, presence = bias(request), frequency_penalty(request), presence_penalty(request)
    if not (biases or frequency or presence):
        return [*ids]
    (end,) = scorer.tokenizer.encode(scorer.tokenizer.end_of_turn)
    chosen: list[int] = []
    counts: Counter[int] = Counter()
    for wanted in ids:
        scores = dict(_scores(scorer, prompt, chosen, wanted, biases))
        best = max(scores, key=lambda id: scores[id] - frequency * counts[id] - (presence if counts[id] else 0.0))
        chosen.append(best)
        counts[best] += 1
        if best == end and not request.ignore_eos:
            return chosen
    if ids and ids[-1] == end:
        chosen.append(end)  # another token won where the turn would have ended: it ends right after that one
    return chosen


def _scores(
    scorer: Scorer, prompt: Sequence[int], before: Sequence[int], wanted: int, biases: Mapping[int, float]
) -> Iterator[tuple[int, float]]:
    *_, digest = fake_logprobs.chain(prompt, [*before, wanted])
    ranked = scorer.ranked(wanted, digest, ALTERNATIVES)
    least = ranked[-1][1]
    others = ((id, least) for id in biases if id not in dict(ranked) and scorer.tokenizer.decode([id]))
    for id, score in [*ranked, *others]:
        yield id, score + biases.get(id, 0.0)
