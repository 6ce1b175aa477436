"""The response mask of the sync dialect: one entry for each token that was inserted since the last sampled one.

A wrong mask is rejected and never repaired: it could train the policy on text that it did not sample.
"""

from collections.abc import Iterable, Sequence

from rollout_conformance.rollout_server.trainer import errors


def check(mask: Sequence[int] | None, lengths: Iterable[int], *, turns: int) -> None:
    """Raises `ApiError` 422. `lengths` are the correct ones, at least one of them above zero where a mask is required."""
    if not turns:
        if mask is not None:
            raise errors.mask("nothing was inserted before the first reply; leave it out, or send null")
        return
    given = len(mask or ())
    right = []
    for length in lengths:
        if given == length:
            return
        right.append(length)
    raise errors.mask(expectation(mask, right))


def expectation(mask: Sequence[int] | None, right: Iterable[int]) -> str:
    lengths = " or ".join(str(length) for length in sorted({n for n in right if n > 0}))
    seen = "there is none" if mask is None else f"there are {len(mask)}"
    return f"one entry is required for each of the {lengths} inserted tokens, and {seen}"
