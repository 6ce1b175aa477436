"""Whether a request is retried, and after how long."""

import math
from dataclasses import dataclass

RETRYABLE = frozenset(
    {408, 429}
)  # Request Timeout, Too Many Requests; any other 4xx would reject the same request again


@dataclass(frozen=True, slots=True)
class Policy:
    retries: int
    base_s: float
    max_s: float


def should_retry(status: int | None) -> bool:
    """`None` stands for no response at all."""
    return status is None or status in RETRYABLE or 500 <= status < 600


def delay(policy: Policy, attempt: int, retry_after: str | None) -> float:
    """Seconds before attempt number `attempt + 1`: doubling, or the trainer's Retry-After if that is longer, up to the maximum."""
    own = policy.base_s * 2.0 ** min(attempt - 1, 32)
    return float(min(max(own, seconds(retry_after)), policy.max_s))


def seconds(retry_after: str | None) -> float:
    """Retry-After (RFC 9110, 10.2.3) in seconds; 0 for dates and values that are not numbers."""
    try:
        value = float(retry_after or 0)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0
