"""The tokens of one rollout, in the order in which the policy saw and sampled them. Immutable: a turn creates a new one.

| prompt of turn 1 | sampled 1 | inserted | sampled 2 | inserted | sampled 3
  0 0 0 0 0 0 0 0    1 1 1 1 1   0 0 0 0    1 1 1 1 1   0 0 0 0    1 1 1 1 1    response mask
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One generation: ids of the whole prompt, ids that were sampled, one logprob for each of the latter."""

    prompt_token_ids: Ids
    token_ids: Ids
    logprobs: tuple[float, ...]

    def describe(self) -> dict[str, Any]:
        return {
            "prompt_token_ids": list(self.prompt_token_ids),
            "token_ids": list(self.token_ids),
            "logprobs": list(self.logprobs),
        }


@dataclass(frozen=True, slots=True)
class Drift:
    """The first difference between a prompt and the trajectory: turns count from 1, positions from 0; `seen` is None at the end of the prompt."""

    turn: int
    position: int
    expected: int
    seen: int | None


@dataclass(frozen=True, slots=True)
class Trajectory:
    """`text` is the text of the ids. `token_ids`, `response_mask` and `logprobs` are equally long."""

    text: str = ""
    token_ids: Ids = ()
    response_mask: Ids = ()
    logprobs: tuple[float, ...] = ()
    turns: tuple[Turn, ...] = ()
    drift: Drift | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "turns": [turn.describe() for turn in self.turns],
            "token_ids": list(self.token_ids),
            "response_mask": list(self.response_mask),
            "logprobs": list(self.logprobs),
            "drift": self.drift and asdict(self.drift),
        }


def extended(before: Trajectory, turn: Turn, text: str, inserted_ids: Sequence[int]) -> Trajectory:
    """The trajectory after one more turn; `inserted_ids` is what was inserted, for a prompt that does not continue the trajectory."""
    drift = first_difference(before, turn.prompt_token_ids)
    inserted = tuple(inserted_ids) if drift else turn.prompt_token_ids[len(before.token_ids) :]
    none = (0.0,) * len(inserted)
    return Trajectory(
        text=text,
        token_ids=before.token_ids + inserted + turn.token_ids,
        response_mask=before.response_mask + (0,) * len(inserted) + (1,) * len(turn.token_ids),
        logprobs=before.logprobs + none + turn.logprobs,
        turns=(*before.turns, turn),
        drift=before.drift or drift,
    )


def first_difference(before: Trajectory, prompt: Ids) -> Drift | None:
    """The first position where the prompt differs from the trajectory."""
    if prompt[: len(before.token_ids)] == before.token_ids:
        return None
    pairs = enumerate(zip(before.token_ids, prompt, strict=False))
    position = next((n for n, (old, new) in pairs if old != new), len(prompt))
    seen = prompt[position] if position < len(prompt) else None
    return Drift(len(before.turns) + 1, position, before.token_ids[position], seen)
