"""Choices by seed, temperature, top-k, top-p, min-p and repetition penalty; scores of the model alone."""

from typing import Any

import numpy as np
import pytest

from rollout_conformance.rollout_server.worker.jobs import Sampling
from rollout_conformance.rollout_server.worker.model import Logits
from rollout_conformance.rollout_server.worker.sampler import Sampler, score

LOGITS = np.log(np.array([0.1, 0.5, 0.2, 0.15, 0.05], dtype=np.float32))
DRAWS = 4000


def drawn(logits: Logits = LOGITS, seed: int = 1, **sampling: Any) -> list[float]:
    """How often each token is chosen."""
    sampler = Sampler(Sampling(seed, **sampling), len(logits))
    counts = np.bincount([sampler.choose(logits) for _ in range(DRAWS)], minlength=len(logits))
    return [float(count) / DRAWS for count in counts]


def test_tokens_are_drawn_with_their_probabilities() -> None:
    assert drawn() == pytest.approx([0.1, 0.5, 0.2, 0.15, 0.05], abs=0.03)


def test_temperature_sharpens_and_flattens() -> None:
    assert drawn(temperature=0.5)[1] == pytest.approx(0.25 / 0.325, abs=0.03)
    assert drawn(temperature=0.0) == [0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("sampling", "left"),
    [
        ({"top_k": 2}, [1, 2]),
        ({"top_p": 0.6}, [1, 2]),
        ({"top_p": 0.0}, [1]),
        ({"min_p": 0.39}, [1, 2]),
        ({"min_p": 1.0}, [1]),
        ({"top_k": 3, "min_p": 0.39}, [1, 2]),
    ],
)
def test_what_may_be_drawn(sampling: dict[str, Any], left: list[int]) -> None:
    assert [id for id, share in enumerate(drawn(**sampling)) if share] == left


def test_seeds_repeat_and_differ() -> None:
    assert drawn(seed=7) == drawn(seed=7)
    assert drawn(seed=7) != drawn(seed=8)


def test_a_penalty_makes_what_was_seen_less_likely() -> None:
    sampler = Sampler(Sampling(1, temperature=0.0, repetition_penalty=2.0), len(LOGITS))
    assert sampler.choose(LOGITS) == 1
    sampler.saw([1])
    assert sampler.choose(LOGITS) == 1  # log 0.5 doubled is log 0.25, still the largest
    assert Sampler(Sampling(1, 0.0, repetition_penalty=2.0), len(LOGITS)).choose(LOGITS) == 1
    strong = Sampler(Sampling(1, temperature=0.0, repetition_penalty=2.0), 2)
    strong.saw([0])
    assert strong.choose(np.array([3.0, 2.0], dtype=np.float32)) == 1


def test_scores_are_of_the_model_alone() -> None:
    own, top = score(LOGITS, 2, 2)
    assert own.logprob == pytest.approx(np.log(0.2), abs=1e-5)
    assert (own.rank, [one.id for one in top]) == (2, [1, 2])
