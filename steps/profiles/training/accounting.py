"""Losses and gradients in closed form, in float64, and how a wrong sum is explained. Pure: it knows no wire and no verdict.

All losses are sums over tokens. With the returned logprob lp, the supplied logprob old, the advantage A, the weight w and r = exp(lp - old):

    cross_entropy        -sum(w * lp)
    importance_sampling  -sum(r * A)
    ppo                  -sum(min(r * A, clip(r) * A))
    cispo                -sum(clip(r) * lp * A), clip(r) without gradient
    dro                  -sum(lp * A - beta / 2 * (lp - old)^2)
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

TOLERANCES: Mapping[str, float] = {"exact": 1e-5, "tight": 1e-3, "loose": 5e-2}
CONTROL = 10  # a control has to differ by more than so many tolerances
LARGEST = 60.0  # exp of more is no ratio that a case means
SHOWN = 4  # terms of a sum that are shown


@dataclass(frozen=True, slots=True)
class Row:
    """One datum: what was sent with it, a value a target token. Nothing stands for a tensor that was not sent. With `columns` each position has so
    many target tokens, and the values are those of the first position, then those of the second, and so on; 0 is a tensor of one dimension."""

    targets: tuple[int, ...]
    weights: tuple[float, ...] = ()
    old: tuple[float, ...] = ()
    advantages: tuple[float, ...] = ()
    columns: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """One token of a loss: its value, the equation with its numbers, and the weight `w` for which `-w * lp` has the same gradient."""

    value: float
    text: str
    weight: float


Config = Mapping[str, float]


def _ratio(lp: float, old: float) -> float:
    return math.exp(min(lp - old, LARGEST))


def _cross_entropy(lp: float, row: Row, n: int, config: Config) -> Term:
    w = row.weights[n] if row.weights else 1.0
    return Term(-w * lp, f"{w:g}*{lp:.6g}", w)


def _importance_sampling(lp: float, row: Row, n: int, config: Config) -> Term:
    old, a = row.old[n], row.advantages[n]
    r = _ratio(lp, old)
    return Term(-r * a, f"exp({lp:.6g}-{_plain(old)})*{a:g}", r * a)


def _ppo(lp: float, row: Row, n: int, config: Config) -> Term:
    old, a = row.old[n], row.advantages[n]
    r, low, high = _ratio(lp, old), config["clip_low_threshold"], config["clip_high_threshold"]
    clipped = min(max(r, low), high)
    value = min(r * a, clipped * a)
    weight = r * a if value == r * a else 0.0  # a clipped token has no gradient
    return Term(-value, f"min({r:.6g}*{a:g}, {clipped:.6g}*{a:g})", weight)


def _cispo(lp: float, row: Row, n: int, config: Config) -> Term:
    old, a = row.old[n], row.advantages[n]
    clipped = min(max(_ratio(lp, old), config["clip_low_threshold"]), config["clip_high_threshold"])
    return Term(-clipped * lp * a, f"{clipped:.6g}*{lp:.6g}*{a:g}", clipped * a)


def _dro(lp: float, row: Row, n: int, config: Config) -> Term:
    old, a, beta = row.old[n], row.advantages[n], config["beta"]
    value = lp * a - beta / 2 * (lp - old) ** 2
    return Term(-value, f"({lp:.6g}*{a:g} - {beta / 2:g}*({lp:.6g}-{_plain(old)})^2)", a - beta * (lp - old))


LOSSES: Mapping[str, Callable[[float, Row, int, Config], Term]] = {
    "cross_entropy": _cross_entropy,
    "importance_sampling": _importance_sampling,
    "ppo": _ppo,
    "cispo": _cispo,
    "dro": _dro,
}
CONFIGURED: Mapping[str, tuple[str, ...]] = {
    "ppo": ("clip_low_threshold", "clip_high_threshold"),
    "cispo": ("clip_low_threshold", "clip_high_threshold"),
    "dro": ("beta",),
}


def _plain(number: float) -> str:
    return f"({number:.6g})" if number < 0 else f"{number:.6g}"


@dataclass(frozen=True, slots=True)
class Account:
    """The loss of a batch as it was computed here: the terms of each datum in order."""

    rows: tuple[tuple[Term, ...], ...]

    @property
    def terms(self) -> Iterator[Term]:
        return (term for row in self.rows for term in row)

    @property
    def total(self) -> float:
        return math.fsum(term.value for term in self.terms)

    @property
    def scale(self) -> float:
        """The sum of the absolute terms, by which rounding is measured; 1 at least."""
        return max(1.0, math.fsum(abs(term.value) for term in self.terms))

    def of(self, row: int) -> float:
        """What one datum contributes."""
        return math.fsum(term.value for term in self.rows[row])

    def weights(self) -> tuple[tuple[float, ...], ...]:
        """The weights with which cross entropy has the same gradient."""
        return tuple(tuple(term.weight for term in row) for row in self.rows)

    def equation(self) -> str:
        """`-(0.5*-2.1 + 1*-3.2 + ...) = 4.25`, of terms in the order of the batch."""
        texts = [term.text for term in self.terms]
        more = " + ..." if len(texts) > SHOWN else ""
        return f"-({' + '.join(texts[:SHOWN])}{more}) = {self.total:.6g}"


def account(loss: str, rows: Sequence[Row], logprobs: Sequence[Sequence[float]], config: Config) -> Account:
    """The loss of these rows at these logprobs. Raises `ValueError` where a datum has another number of logprobs than of targets."""
    made = LOSSES[loss]
    return Account(
        tuple(
            tuple(made(lp, row, n, config) for n, lp in enumerate(_fitting(row, values)))
            for row, values in zip(rows, logprobs, strict=True)
        )
    )


def _fitting(row: Row, values: Sequence[float]) -> Sequence[float]:
    if len(values) != len(row.targets):
        raise ValueError(f"{len(values)} logprobs for {len(row.targets)} target tokens")
    return values


def explained(returned: float, computed: Account, tolerance: float) -> str:
    """What else a wrong sum would be, after `; `; nothing where it is none of the usual mistakes."""
    total, tokens, rows = computed.total, sum(1 for _ in computed.terms), len(computed.rows)
    near = tolerance * computed.scale
    guesses = [
        ("the sign is reversed", -total),
        (f"that is the mean over {tokens} tokens", total / tokens if tokens else total),
        (f"that is the mean over {rows} data", total / rows if rows else total),
        *((f"datum {n} is missing", total - computed.of(n)) for n in range(rows)),
        *((f"datum {n} is counted twice", total + computed.of(n)) for n in range(rows)),
    ]
    found = [text for text, value in guesses if abs(returned - value) <= near and abs(value - total) > near]
    return f"; {found[0]}" if found else ""


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest difference of two lists of numbers: where, and both values. `most` is infinite where their lengths differ."""

    most: float
    text: str


def difference(one: Sequence[float], other: Sequence[float]) -> Difference:
    if len(one) != len(other):
        return Difference(math.inf, f"{len(one)} and {len(other)} numbers")
    apart = [abs(a - b) for a, b in zip(one, other, strict=True)]
    if not apart:
        return Difference(0.0, "no numbers")
    at = max(range(len(apart)), key=lambda n: apart[n] if math.isfinite(apart[n]) else math.inf)
    most = apart[at] if math.isfinite(apart[at]) else math.inf
    return Difference(most, f"number {at + 1} of {len(apart)}: {one[at]:.8g} and {other[at]:.8g}, {most:.3g} apart")
