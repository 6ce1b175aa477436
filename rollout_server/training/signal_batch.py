"""The examples of the dialect `signal` as sequences with targets, and its losses.

Every loss is a mean: over the target tokens, or over the examples (dpo, grpo). Gradients are kept as sums with their count, so that two calls
that accumulate are one call on both batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rollout_conformance.contracts.training import wire_signal as wire
from rollout_conformance.rollout_server.training import errors
from rollout_conformance.rollout_server.training.base_model import Ints
from rollout_conformance.rollout_server.training.text_codec import TextCodec

TEXT_LOSSES = ("causal_lm", "importance_sampling", "ppo")
LOSSES = (*TEXT_LOSSES, "dpo", "grpo")
KNOWN = (*LOSSES, "enhanced_ppo", "conservative_ppo", "reward_modeling")
OPTIONS: dict[str, dict[str, float]] = {"ppo": {"clip_low": 0.8, "clip_high": 1.2}, "dpo": {"beta": 0.1}}


@dataclass(frozen=True, slots=True)
class Example:
    """One token sequence; `learnt` is how many of its last tokens are targets."""

    tokens: Ints
    learnt: int


@dataclass(frozen=True, slots=True)
class SignalBatch:
    """`groups` has one group for each example: one sequence, chosen and rejected, or the responses to one prompt."""

    loss: str
    groups: tuple[tuple[Example, ...], ...]
    rewards: tuple[tuple[float, ...], ...]
    old: tuple[tuple[float, ...], ...] | None
    advantages: tuple[tuple[float, ...], ...] | None
    options: dict[str, float]
    accumulate: bool
    cut: int


def parse(given: wire.ForwardBackward, codec: TextCodec, longest: int) -> SignalBatch:
    """Raises `UserError` 400."""
    check_loss(given)
    cut = 0
    groups, rewards = [], []
    for example in given.batch_data:
        texts, own = spread(example, codec)
        group = []
        for prompt, text in texts:
            one, lost = encode(codec, prompt, text, longest)
            group.append(one)
            cut += lost
        groups.append(tuple(group))
        rewards.append(own)
    check_forms(given)
    old, advantages = table(given.old_log_probs), table(given.advantages)
    if given.loss_fn in TEXT_LOSSES[1:]:
        check_rows("old_log_probs", old, groups)
        check_rows("advantages", advantages, groups)
    options = {**OPTIONS.get(given.loss_fn, {}), **given.loss_kwargs}
    return SignalBatch(
        loss=given.loss_fn,
        groups=tuple(groups),
        rewards=tuple(rewards),
        old=old,
        advantages=advantages,
        options=options,
        accumulate=given.accumulate,
        cut=cut,
    )


def check_loss(given: wire.ForwardBackward) -> None:
    if given.loss_fn not in KNOWN:
        raise errors.invalid(f"loss_fn is not one of {', '.join(LOSSES)}")
    if given.loss_fn not in LOSSES:
        raise errors.not_implemented(f"loss_fn {given.loss_fn}")
    for name, value in given.loss_kwargs.items():
        if name not in OPTIONS.get(given.loss_fn, {}):
            raise errors.not_implemented(f"loss_kwargs.{name[:64]} for this loss_fn")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise errors.invalid(f"loss_kwargs.{name} must be a number")
    for name in ("old_log_probs", "advantages"):
        if getattr(given, name) is not None and given.loss_fn not in TEXT_LOSSES[1:]:
            raise errors.not_implemented(f"{name} for this loss_fn")


def check_forms(given: wire.ForwardBackward) -> None:
    needed = {"dpo": "chosen", "grpo": "responses"}.get(given.loss_fn)
    for n, example in enumerate(given.batch_data):
        if needed and getattr(example, needed) is None:
            raise errors.invalid(f"batch_data[{n}] needs {needed} for {given.loss_fn}")
        if not needed and (example.chosen is not None or example.responses is not None):
            raise errors.invalid(f"batch_data[{n}] has several responses, which {given.loss_fn} does not compare")


def spread(example: wire.Example, codec: TextCodec) -> tuple[list[tuple[str, str]], tuple[float, ...]]:
    """The (prompt, text) pairs of an example, and their rewards. What a prompt holds is no target."""
    if example.text is not None:
        return [("", example.text)], ()
    if example.messages is not None:
        messages = [message.model_dump() for message in example.messages]
        return [("", codec.render(messages, generation=False))], ()
    prompt = example.prompt or ""
    if example.chosen is not None and example.rejected is not None:
        return [(prompt, example.chosen), (prompt, example.rejected)], ()
    if example.responses is not None:
        return [(prompt, text) for text in example.responses], tuple(example.rewards or ())
    return [(prompt, example.response or "")], (example.reward or 0.0,)


def encode(codec: TextCodec, prompt: str, text: str, longest: int) -> tuple[Example, int]:
    """And how many tokens `longest` cut off. The first token of all has nothing before it and is no target."""
    before = codec.encode(prompt) if prompt else []
    after = codec.encode(text)
    whole = before + after
    kept = whole[:longest]
    learnt = len(kept) - max(len(before), 1)
    if learnt < 1:
        raise errors.invalid("An example has no token to predict: it is too short, or its prompt fills max_seq_length")
    return Example(np.asarray(kept, np.int64), learnt), len(whole) - len(kept)


def table(rows: list[list[float]] | None) -> tuple[tuple[float, ...], ...] | None:
    return None if rows is None else tuple(tuple(row) for row in rows)


def check_rows(name: str, rows: Any, groups: Sequence[Sequence[Example]]) -> None:
    if rows is None:
        raise errors.invalid(f"{name} is missing")
    if [len(row) for row in rows] != [group[0].learnt for group in groups]:
        raise errors.invalid(f"{name} must have one row for each example, and one value for each of its target tokens")
