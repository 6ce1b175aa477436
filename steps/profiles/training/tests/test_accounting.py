"""Losses by hand, the explanations of wrong sums, and differences of numbers."""

import math

import pytest

from rollout_conformance.steps.profiles.training.accounting import Row, account, difference, explained

BOUNDS = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}


def policy(*ratios: float, advantages: tuple[float, ...]) -> tuple[Row, list[float]]:
    """Tokens with a logprob of -1 and these ratios."""
    old = tuple(-1.0 - math.log(ratio) for ratio in ratios)
    return Row((1,) * len(ratios), (), old, advantages), [-1.0] * len(ratios)


def test_cross_entropy_is_minus_the_weighted_sum() -> None:
    found = account("cross_entropy", [Row((1, 2), (0.5, 2.0)), Row((3,))], [[-1.0, -2.0], [-3.0]], {})
    assert found.total == pytest.approx(0.5 + 4 + 3)
    assert found.equation() == "-(0.5*-1 + 2*-2 + 1*-3) = 7.5"


def test_importance_sampling_weighs_by_the_ratio() -> None:
    row, lps = policy(2.0, 0.5, advantages=(1.0, -3.0))
    assert account("importance_sampling", [row], [lps], {}).total == pytest.approx(-(2 * 1 + 0.5 * -3))


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "weight"),
    [
        (0.5, 1.0, 0.5, 0.5),
        (0.5, -1.0, -0.8, 0.0),
        (1.0, 1.0, 1.0, 1.0),
        (2.0, 1.0, 1.2, 0.0),
        (2.0, -1.0, -2.0, -2.0),
    ],
)
def test_ppo_takes_the_smaller_of_both(ratio: float, advantage: float, value: float, weight: float) -> None:
    row, lps = policy(ratio, advantages=(advantage,))
    (term,) = account("ppo", [row], [lps], BOUNDS).terms
    assert (term.value, term.weight) == pytest.approx((-value, weight))


def test_cispo_clips_the_ratio_and_keeps_the_gradient() -> None:
    row, lps = policy(2.0, advantages=(3.0,))
    (term,) = account("cispo", [row], [lps], BOUNDS).terms
    assert (term.value, term.weight) == pytest.approx((1.2 * 3.0, 1.2 * 3.0))


def test_dro_has_a_quadratic_term() -> None:
    row, lps = policy(math.e, advantages=(2.0,))
    (term,) = account("dro", [row], [lps], {"beta": 0.5}).terms
    assert (term.value, term.weight) == pytest.approx((2.0 + 0.25, 2.0 - 0.5))


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        (-7.5, "the sign is reversed"),
        (2.5, "that is the mean over 3 tokens"),
        (3.75, "that is the mean over 2 data"),
        (4.5, "datum 1 is missing"),
        (12.0, "datum 0 is counted twice"),
        (7.5, ""),
        (7.77, ""),
    ],
)
def test_a_usual_mistake_is_named(returned: float, says: str) -> None:
    computed = account("cross_entropy", [Row((1, 2), (0.5, 2.0)), Row((3,))], [[-1.0, -2.0], [-3.0]], {})
    assert explained(returned, computed, 1e-5).removeprefix("; ") == says


def test_a_datum_with_other_numbers_is_no_loss() -> None:
    with pytest.raises(ValueError, match="1 logprobs for 2 target tokens"):
        account("cross_entropy", [Row((1, 2))], [[-1.0]], {})


def test_differences_of_lists() -> None:
    assert difference([1.0, 2.0], [1.0, 2.5]).most == 0.5
    assert difference([1.0], [1.0, 2.0]).most == math.inf
    assert difference([math.nan, 1.0], [1.0, 1.0]).most == math.inf
