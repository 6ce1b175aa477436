"""Whether to send a request again, and after how long."""

import math
from dataclasses import dataclass

RETRYABLE = frozenset({408, 429})  # of the 4xx; anything else says that the same request will be refused again


@dataclass(frozen=True, slots=True)
class Policy:
    retries: int
    base_s: float
    max_s: float


def should_retry(status: int | None) -> bool:
    """`None` stands for no answer at all."""
    return status is None or status in RETRYABLE or 500 <= status < 600


def delay(policy: Policy, attempt: int, retry_after: str | None) -> float:
    """Seconds before attempt number `attempt + 1`: doubling, or what the trainer asks for, up to the maximum."""
    own = policy.base_s * 2.0 ** min(attempt - 1, 32)
    return float(min(max(own, asked(retry_after)), policy.max_s))


def asked(retry_after: str | None) -> float:
    """Retry-After in seconds. Dates and nonsense count as not asked."""
    try:
        seconds = float(retry_after or 0)
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
