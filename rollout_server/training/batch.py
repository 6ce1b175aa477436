"""A batch of one forward or forward_backward request, checked completely before it is accepted."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rollout_conformance.contracts.training.wire_tinker import Datum, LossInput
from rollout_conformance.rollout_server.training import errors, tensors
from rollout_conformance.rollout_server.training.base_model import MAX_CONTEXT, VOCABULARY, Floats, Ints
from rollout_conformance.rollout_server.training.losses import CLIP, LOSSES, Loss

TARGETS = "target_tokens"


@dataclass(frozen=True, slots=True)
class Sequence:
    """`tokens` is [T], `targets` and each of `given` are [T, K]; `flat` tells that K was not written."""

    tokens: Ints
    targets: Ints
    given: Mapping[str, Floats]
    flat: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    loss: str
    config: Mapping[str, float]
    sequences: tuple[Sequence, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    datums: int
    tokens: int


def parse(given: LossInput, limits: Limits) -> Batch:
    """Raises `UserError` 400."""
    if given.loss_fn not in LOSSES:
        raise errors.invalid(f"loss_fn is not one of {', '.join(LOSSES)}")
    if len(given.data) > limits.datums:
        raise errors.invalid(f"data has more than {limits.datums} datums")
    loss = LOSSES[given.loss_fn]
    config = parse_config(loss, given.loss_fn_config or {})
    sequences = tuple(parse_datum(datum, loss, f"data[{n}]") for n, datum in enumerate(given.data))
    if sum(one.targets.size for one in sequences) > limits.tokens:
        raise errors.invalid(f"data has more than {limits.tokens} target tokens")
    for one in sequences:
        check_clip(one, given.loss_fn_config or {}, config)
    return Batch(given.loss_fn, config, sequences)


def parse_config(loss: Loss, given: Mapping[str, float]) -> dict[str, float]:
    known = loss.config or {}
    if unknown := sorted(set(given) - set(known)):
        raise errors.not_implemented(f"loss_fn_config.{unknown[0][:64]} for this loss_fn")
    return {**known, **given}


def parse_datum(datum: Datum, loss: Loss, where: str) -> Sequence:
    inputs = datum.loss_fn_inputs
    for name in (TARGETS, *loss.needs):
        if name not in inputs:
            raise errors.invalid(f"{where}.loss_fn_inputs lacks {name}")
    if unknown := sorted(set(inputs) - {TARGETS, *loss.needs, *loss.takes}):
        raise errors.not_implemented(f"{where}.loss_fn_inputs.{unknown[0][:64]} for this loss_fn")
    tokens = tensors.tokens(datum.model_input, f"{where}.model_input")
    if len(tokens) > MAX_CONTEXT:
        raise errors.invalid(f"{where}.model_input has more than {MAX_CONTEXT} tokens")
    targets = tensors.integers(inputs[TARGETS], f"{where}.{TARGETS}")
    check_targets(tokens, targets, where)
    named = {name: tensors.floats(inputs[name], f"{where}.{name}") for name in inputs if name != TARGETS}
    for name, values in named.items():
        if values.shape != targets.shape:
            raise errors.invalid(f"{where}.{name} has the shape {list(values.shape)}, {TARGETS} {list(targets.shape)}")
    columns = (len(tokens), -1)
    return Sequence(
        tokens, targets.reshape(columns), {n: v.reshape(columns) for n, v in named.items()}, targets.ndim == 1
    )


def check_targets(tokens: Ints, targets: Ints, where: str) -> None:
    if targets.shape[0] != len(tokens) or targets.size == 0:
        raise errors.invalid(f"{where}: {len(tokens)} tokens in model_input, {targets.shape[0]} in {TARGETS}")
    if targets.min() < 0 or targets.max() >= VOCABULARY:
        raise errors.invalid(f"{where}.{TARGETS} has a token outside the vocabulary of {VOCABULARY}")


def check_clip(one: Sequence, written: Mapping[str, float], config: Mapping[str, float]) -> None:
    """Bounds come from the options or from a tensor, not from both, and the lower is not above the upper."""
    if both := [name for name in CLIP if name in written and name in one.given]:
        raise errors.invalid(f"{both[0]} is given in loss_fn_config and as a tensor")
    if CLIP[0] not in config:
        return
    low, high = (one.given.get(name, np.asarray(config[name])) for name in CLIP)
    if np.any(low > high):
        raise errors.invalid(f"{CLIP[0]} is above {CLIP[1]}")
