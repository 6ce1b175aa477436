"""Losses, gradients and steps of the reference against formulas that are written out in `closed_form.py`."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from rollout_conformance.rollout_server.tests.training import closed_form
from rollout_conformance.rollout_server.tests.training.closed_form import Floats
from rollout_conformance.rollout_server.training import adam, base_model, signal_step, training_step
from rollout_conformance.rollout_server.training.adam import AdamOptions
from rollout_conformance.rollout_server.training.adapter import Shape
from rollout_conformance.rollout_server.training.batch import Batch
from rollout_conformance.rollout_server.training.batch import Sequence as Datum
from rollout_conformance.rollout_server.training.model_state import ModelState
from rollout_conformance.rollout_server.training.signal_batch import Example, SignalBatch

RANK = 2
SHAPE = Shape(RANK)
BASE = base_model.load(base_model.NAME)
SEQUENCES = ([5, 6, 7, 8, 5], [1535, 0, 300], [9, 9, 9, 9, 9, 10])
TARGETS = tuple(token for tokens in SEQUENCES for token in tokens[1:])


def weights() -> Floats:
    """Of a trained adapter: neither part is zero."""
    random = np.random.default_rng(3)
    return random.standard_normal(SHAPE.size) * 0.1


AT = weights()
STATE = ModelState(SHAPE, AT)
LP = [closed_form.logprobs(AT, RANK, tokens) for tokens in SEQUENCES]
A = [[1.5, -0.5, 2.0, -1.0], [0.25, -3.0], [1.0, 1.0, -1.0, 0.5, -0.5]]
# Ratios below, within and above the bounds 0.8 and 1.2.
RATIOS = [[0.5, 0.6, 1.0, 1.1], [1.5, 1.6], [0.9, 1.4, 0.7, 1.0, 2.0]]
OLD = [[lp - math.log(r) for lp, r in zip(*rows, strict=True)] for rows in zip(LP, RATIOS, strict=True)]
W = [[1.0, 0.5, 0.0, -2.0], [1.0, 3.0], [0.1, 1.0, 1.0, 1.0, 1.0]]
Term = Callable[[float, float, float, float], float]


def column(values: Sequence[float]) -> Floats:
    return np.asarray(values, np.float64)[:, None]


def batch(loss: str, config: dict[str, float], **tensors: list[list[float]]) -> Batch:
    data = tuple(
        Datum(
            np.asarray(tokens[:-1]),
            np.asarray(tokens[1:])[:, None],
            {name: column(rows[n]) for name, rows in tensors.items()},
        )
        for n, tokens in enumerate(SEQUENCES)
    )
    return Batch(loss, config, data)


def total(term: Term, flat: Floats) -> float:
    """The sum of term(lp, old, A, lp at the point of the gradient)."""
    now = [closed_form.logprobs(flat, RANK, tokens) for tokens in SEQUENCES]
    return math.fsum(term(*four) for rows in zip(now, OLD, A, LP, strict=True) for four in zip(*rows, strict=True))


def ratio(lp: float, old: float) -> float:
    return math.exp(lp - old)


def clip(value: float) -> float:
    return min(max(value, 0.8), 1.2)


BOUNDS = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
LOSSES: dict[str, tuple[dict[str, float], Term]] = {
    "importance_sampling": ({}, lambda lp, old, a, at: -ratio(lp, old) * a),
    "ppo": (BOUNDS, lambda lp, old, a, at: -min(ratio(lp, old) * a, clip(ratio(lp, old)) * a)),
    "cispo": (BOUNDS, lambda lp, old, a, at: -clip(ratio(at, old)) * lp * a),
    "dro": ({"beta": 0.3}, lambda lp, old, a, at: -(lp * a - 0.15 * (lp - old) ** 2)),
}


def coordinates() -> list[int]:
    """All of A, and those rows of B where the gradient is large, some where it is small."""
    rows = [*sorted(set(TARGETS)), 17, 1000]
    return [
        *range(RANK * closed_form.WIDTH),
        *(RANK * closed_form.WIDTH + row * RANK + r for row in rows for r in range(RANK)),
    ]


def check_gradient(gradient: Any, of: Callable[[Floats], float], scale: float = 1.0) -> None:
    assert gradient is not None
    for n in coordinates():
        assert gradient[n] / scale == pytest.approx(closed_form.slope(of, AT, n), rel=1e-5, abs=1e-7), n


def returned(outcome: training_step.Outcome) -> list[list[float]]:
    return [one["logprobs"]["data"] for one in outcome.result["loss_fn_outputs"]]


def test_logprobs_are_those_of_the_formula() -> None:
    outcome = training_step.forward(BASE, STATE, batch("cross_entropy", {}))
    for got, expected in zip(returned(outcome), LP, strict=True):
        assert got == pytest.approx(expected, rel=1e-6)
    assert outcome.state is STATE


def test_cross_entropy() -> None:
    def loss(flat: Floats) -> float:
        now = [closed_form.logprobs(flat, RANK, tokens) for tokens in SEQUENCES]
        return -math.fsum(w * lp for rows in zip(W, now, strict=True) for w, lp in zip(*rows, strict=True))

    outcome = training_step.forward_backward(BASE, STATE, batch("cross_entropy", {}, weights=W))
    assert outcome.result["metrics"]["loss:sum"] == pytest.approx(loss(AT), rel=1e-12)
    check_gradient(outcome.state.gradients, loss)


@pytest.mark.parametrize("name", LOSSES)
def test_policy_losses(name: str) -> None:
    config, term = LOSSES[name]
    outcome = training_step.forward_backward(BASE, STATE, batch(name, config, logprobs=OLD, advantages=A))
    assert outcome.result["metrics"]["loss:sum"] == pytest.approx(total(term, AT), rel=1e-12)
    check_gradient(outcome.state.gradients, lambda flat: total(term, flat))


def test_gradients_are_added() -> None:
    one = training_step.forward_backward(BASE, STATE, batch("cross_entropy", {}, weights=W))
    two = training_step.forward_backward(BASE, one.state, batch("dro", {"beta": 0.3}, logprobs=OLD, advantages=A))
    alone = training_step.forward_backward(BASE, STATE, batch("dro", {"beta": 0.3}, logprobs=OLD, advantages=A))
    gradients = [one.state.gradients, alone.state.gradients, two.state.gradients]
    first, second, both = (part for part in gradients if part is not None)
    assert both == pytest.approx(first + second, rel=1e-14)


@pytest.mark.parametrize(
    "more", [{}, {"weight_decay": 0.1}, {"grad_clip_norm": 0.5}], ids=["plain", "with decay", "clipped"]
)
def test_adam(more: dict[str, float]) -> None:
    random = np.random.default_rng(1)
    start, gradients = random.standard_normal(6), random.standard_normal((4, 6)) * 3
    options = AdamOptions(0.1, 0.9, 0.95, 1e-8, **more)
    weights, moments = start, adam.fresh(6)
    for gradient in gradients:
        weights, moments = adam.step(weights, gradient, moments, options)
    decay, limit = more.get("weight_decay", 0.0), more.get("grad_clip_norm", 0.0)
    expected = closed_form.adam(
        start.tolist(), gradients.tolist(), lr=0.1, beta1=0.9, beta2=0.95, eps=1e-8, decay=decay, clip=limit
    )
    assert weights == pytest.approx(expected, rel=1e-12)
    assert moments.t == 4


# The dialect `signal`


def signal_batch(loss: str, groups: Any, options: dict[str, float] | None = None, rewards: Any = ()) -> SignalBatch:
    old, advantages = (OLD, A) if loss in ("importance_sampling", "ppo") else (None, None)
    rows = [None if table is None else tuple(map(tuple, table)) for table in (old, advantages)]
    return SignalBatch(loss, groups, rewards, rows[0], rows[1], options or {}, False, 0)


SINGLE = tuple((Example(np.asarray(tokens), len(tokens) - 1),) for tokens in SEQUENCES)


@pytest.mark.parametrize("name", ["causal_lm", "importance_sampling", "ppo"])
def test_signal_token_losses_are_means(name: str) -> None:
    term = LOSSES[name][1] if name in LOSSES else lambda lp, old, a, at: -lp
    options = {"clip_low": 0.8, "clip_high": 1.2} if name == "ppo" else {}
    outcome = signal_step.forward_backward(BASE, STATE, signal_batch(name, SINGLE, options))
    assert outcome.result["loss"] == pytest.approx(total(term, AT) / len(TARGETS), rel=1e-12)
    check_gradient(outcome.state.gradients, lambda flat: total(term, flat))
    assert outcome.state.units == len(TARGETS)


PROMPT = [3, 4]


def of_response(flat: Floats, tokens: Sequence[int]) -> list[float]:
    return closed_form.logprobs(flat, RANK, [*PROMPT, *tokens])[len(PROMPT) - 1 :]


def response(tokens: Sequence[int]) -> Example:
    return Example(np.asarray([*PROMPT, *tokens]), len(tokens))


def test_dpo() -> None:
    chosen, rejected, beta = [5, 6, 7], [8, 9], 0.4
    zero = np.zeros_like(AT)

    def loss(flat: Floats) -> float:
        gains = [math.fsum(of_response(flat, one)) - math.fsum(of_response(zero, one)) for one in (chosen, rejected)]
        return -math.log(1 / (1 + math.exp(-beta * (gains[0] - gains[1]))))

    groups = ((response(chosen), response(rejected)),)
    outcome = signal_step.forward_backward(BASE, STATE, signal_batch("dpo", groups, {"beta": beta}))
    assert outcome.result["loss"] == pytest.approx(loss(AT), rel=1e-10)
    check_gradient(outcome.state.gradients, loss)


def test_grpo() -> None:
    responses, rewards = ([5, 6, 7], [8, 9], [10]), (1.0, 0.0, 0.5)
    mean = sum(rewards) / 3
    spread = math.sqrt(sum((r - mean) ** 2 for r in rewards) / 3)

    def loss(flat: Floats) -> float:
        rows = [of_response(flat, one) for one in responses]
        return (
            -math.fsum((r - mean) / spread * math.fsum(row) / len(row) for r, row in zip(rewards, rows, strict=True))
            / 3
        )

    groups = (tuple(response(one) for one in responses),)
    outcome = signal_step.forward_backward(BASE, STATE, signal_batch("grpo", groups, rewards=(rewards,)))
    assert outcome.result["loss"] == pytest.approx(loss(AT), rel=1e-10)
    check_gradient(outcome.state.gradients, loss)
