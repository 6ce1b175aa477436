"""From logits to a token: penalties and bias, temperature, top-k, top-p, min-p, draw. Equal seeds and logits give equal tokens."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from rollout_conformance.rollout_server.worker.jobs import Ranking, Sampling, Scored
from rollout_conformance.rollout_server.worker.model import Logits

GREEDY_BELOW = 1e-5  # a smaller temperature is taken for 0, as in vLLM
LEAST_PENALTY = 1e-3  # a repetition penalty of 0 is allowed, and must not make logits infinite
EXCLUDED = -1e9  # what is added to the logit of a token that is not to be sampled

Numbers = npt.NDArray[np.float64]


class Sampler:
    """The choices of one job, from its own random numbers."""

    def __init__(self, sampling: Sampling, vocab_size: int) -> None:
        self.sampling = sampling
        self._seen = np.zeros(vocab_size, dtype=np.bool_)
        self._counts = np.zeros(vocab_size, dtype=np.float32)  # of sampled tokens
        self._bias = np.zeros(vocab_size, dtype=np.float32)
        for id, value in sampling.bias:
            if id < vocab_size:
                self._bias[id] = value
        self._chance = np.random.Generator(np.random.PCG64(sampling.seed))

    def saw(self, ids: Iterable[int]) -> None:
        """These tokens are subject to the repetition penalty."""
        self._seen[list(ids)] = True

    def choose(self, logits: Logits) -> int:
        id = self._chosen(self._weighted(logits))
        self._counts[id] += 1
        return id

    def _chosen(self, penalized: Logits) -> int:
        if self.sampling.temperature < GREEDY_BELOW:
            return int(penalized.argmax())
        order, shares = candidates(penalized, self.sampling)
        heaps = shares.cumsum()
        drawn = heaps.searchsorted(self._chance.random() * heaps[-1], side="right")
        return int(order[min(int(drawn), len(order) - 1)])

    def _weighted(self, logits: Logits) -> Any:
        """The logits with everything that the request adds to them or takes from them."""
        penalized, sampling = self._penalized(logits), self.sampling
        if not (sampling.bias or sampling.frequency_penalty or sampling.presence_penalty):
            return penalized
        taken = sampling.frequency_penalty * self._counts + sampling.presence_penalty * (self._counts > 0)
        return penalized + self._bias - taken.astype(np.float32)

    def _penalized(self, logits: Logits) -> Any:
        penalty = max(self.sampling.repetition_penalty, LEAST_PENALTY)
        if penalty == 1:
            return logits
        changed = np.where(logits > 0, logits / np.float32(penalty), logits * np.float32(penalty))
        return np.where(self._seen, changed, logits)


def candidates(logits: Logits, sampling: Sampling) -> tuple[Any, Numbers]:
    """The tokens that may be drawn, likeliest first, and their probabilities before they are normalized."""
    order = np.argsort(-logits, kind="stable")
    scaled = logits[order].astype(np.float64) / sampling.temperature
    shares = np.exp(scaled - scaled[0])
    shares /= shares.sum()
    count = min(top_k(sampling, len(order)), top_p(shares, sampling.top_p), min_p(shares, sampling.min_p))
    return order[:count], shares[:count]


def top_k(sampling: Sampling, vocab_size: int) -> int:
    return sampling.top_k or vocab_size


def top_p(shares: Numbers, least: float) -> int:
    """The fewest tokens whose probabilities add up to `least`; at least one."""
    if least >= 1:
        return len(shares)
    return int(shares.cumsum().searchsorted(least)) + 1


def min_p(shares: Numbers, least: float) -> int:
    """The tokens with at least `least` times the probability of the likeliest."""
    return int((shares >= least * shares[0]).sum())


def log_softmax(logits: Logits) -> Numbers:
    wide = logits.astype(np.float64)
    wide -= wide.max()
    result: Numbers = wide - np.log(np.exp(wide).sum())
    return result


def score(logits: Logits, id: int, alternatives: int = 0) -> Ranking:
    """The token, and the likeliest `alternatives`, under the model alone."""
    logprobs = log_softmax(logits)
    rank = int((logits > logits[id]).sum()) + 1
    best = np.argsort(-logits, kind="stable")[:alternatives] if alternatives else ()
    return Scored(id, float(logprobs[id]), rank), tuple(
        Scored(int(other), float(logprobs[other]), place) for place, other in enumerate(best, 1)
    )
