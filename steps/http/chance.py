"""What may be chance: how likely an output was by its log probabilities, and how unlikely a thing has to be to accuse a server."""

import math
from collections.abc import Iterable

FALSE_POSITIVE_RATE = 1e-6  # a suite that thousands run may not accuse one right server a day


def likelihood(logprobs: Iterable[float | None], times: int = 1) -> float:
    """How likely it is that an output with these log probabilities is sampled so many times; 1 where there are none. One that is missing
    or not finite is left out."""
    total = sum(one for one in logprobs if one is not None and math.isfinite(one))
    return math.exp(min(0.0, total) * times)
