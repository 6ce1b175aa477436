"""The members of a verb that trains: which batches, with which weights, old logprobs and advantages, and which loss."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Literal, TypeVar

from rollout_conformance.steps.engine.lenient_json import listed, mapping, mappings
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.profiles.training import accounting, batches, wide_targets
from rollout_conformance.steps.profiles.training.accounting import Row
from rollout_conformance.steps.profiles.training.calls import response_named
from rollout_conformance.steps.profiles.training.context import Stopped, TrainingSession
from rollout_conformance.steps.profiles.training.of_model import OfModel
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.training.wire import Data

T = TypeVar("T")
Number = int | float  # one that may be negative
BatchName = Literal["A", "B", "C", "probe", "fork", "start", "end", "long", "many"]
OF_TOKENS = ("importance_sampling", "ppo", "cispo", "dro")
NO_OLD = -1.0  # the old logprob where the case supplies none


@dataclass(frozen=True, slots=True)
class TrainingData(OfModel):
    """What is sent with a call that trains or evaluates."""

    batch: tuple[BatchName, ...] = ("A",)
    "Named batches; their data are sent together, in this order."
    rows: tuple[int, ...] = field(default=(), kw_only=True)
    "Only these data of the batches, from 0, in this order."
    targets: tuple[int, ...] = field(default=(), kw_only=True)
    "Target tokens in place of the next tokens, repeated where there are fewer, in the dialects `tinker-json` and `tinker`."
    columns: int = field(default=0, kw_only=True)
    """How many target tokens each position has, as tensors of two dimensions, in the dialects `tinker-json` and `tinker`; 0: one, in one
    dimension. The other columns have the next tokens in turn, so that no two columns of a position are equal."""
    column: int = field(default=-1, kw_only=True)
    "Only this column of them, from 0, in one dimension, with its targets and weights."
    sparse: bool = field(default=False, kw_only=True)
    "Whether the weights are sent in CSR form."
    split: bool = field(default=False, kw_only=True)
    "Whether the tokens of each datum are sent in two chunks, in the dialects `tinker-json` and `tinker`."
    texts: tuple[str, ...] = field(default=(), kw_only=True)
    "Texts in place of the batches, in the dialect `signal`."
    repeated: int = field(default=1, kw_only=True)
    "How many times each of these texts is written, one after the other."
    copies: int = field(default=0, kw_only=True)
    "How many equal examples are sent in place of the batches, in the dialect `signal`."
    loss: str = field(default="", kw_only=True)
    "The loss function; default: that of next-token prediction, `cross_entropy` of the SDK."
    weights: tuple[Number, ...] = field(default=(1.0,), kw_only=True)
    "Weights of the target tokens, repeated from the first where there are fewer."
    last_only: bool = field(default=False, kw_only=True)
    "Whether all weights are 0 but that of the last target token of the last datum."
    advantages: tuple[Number, ...] = field(default=(1.0, -0.5, 2.0), kw_only=True)
    "Advantages of the target tokens, in the same way."
    old: ResponseName = field(default="", kw_only=True)
    "The response whose logprobs are sent as the old ones; default: -1 for every token."
    ratios: tuple[Number, ...] = field(default=(1.0,), kw_only=True)
    "Ratios exp(lp - old) that the old logprobs are computed for, repeated from the first."
    weights_of: ResponseName = field(default="", kw_only=True)
    "The response whose loss has the same gradient as cross entropy with the weights that are sent."
    config: Mapping[str, Number] = field(default_factory=dict, kw_only=True)
    "Members of `loss_fn_config`."
    as_tensors: bool = field(default=False, kw_only=True)
    "Whether they are sent as tensors, a value a target token."
    sampled: ResponseName = field(default="", kw_only=True)
    "The response whose prompt and sampled tokens are sent in place of the batches."
    bare: tuple[int, ...] = field(default=(), kw_only=True)
    "The data, from 0, that are sent without weights beside others with weights."
    without: tuple[str, ...] = field(default=(), kw_only=True)
    "Tensors that are not sent: weights, logprobs, advantages or target_tokens."

    def data(self, session: TrainingSession) -> Data:
        """The data with the numbers of earlier responses. Raises `Stopped` where there are none to use."""
        names = self.batch
        tokens = _chosen(
            _sampled(session, self.sampled) if self.sampled else batches.tokens(names, session.context.card.end_token),
            self.rows,
        )
        made = self._rows(session, [self._targets(row) for row in tokens])
        made = tuple(wide_targets.shaped(row, self.columns, self.column) for row in made)
        return Data(
            inputs=tuple(row[:-1] for row in tokens),
            rows=made,
            texts=_chosen(self._texts(), self.rows),
            loss=self.loss or "cross_entropy",
            config=self.config or None,
            without=self.without,
            as_tensors=self.as_tensors,
            split=self.split,
            sparse=self.sparse,
        )

    def _targets(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        if self.columns:
            return wide_targets.widened(tokens[1:], self.columns)
        return tuple(islice(cycle(self.targets), len(tokens) - 1)) if self.targets else tokens[1:]

    def _texts(self) -> tuple[str, ...]:
        if self.copies:
            return batches.texts(("A",))[:1] * self.copies
        return tuple(text * self.repeated for text in self.texts) or batches.texts(self.batch)

    def _rows(self, session: TrainingSession, targets: Sequence[tuple[int, ...]]) -> tuple[Row, ...]:
        if self.loss in OF_TOKENS:
            return tuple(self._row_of_tokens(session, targets, n) for n in range(len(targets)))
        if self.weights_of:
            computed = computed_account(_numbers_of(session, self.weights_of)).weights()
            return tuple(Row(row, weights) for row, weights in zip(targets, computed, strict=True))
        if "weights" in self.without:
            return tuple(Row(row) for row in targets)
        if self.last_only:
            return _last_only(targets)
        return tuple(
            Row(row, () if n in self.bare else _cycled(self.weights, targets, n)) for n, row in enumerate(targets)
        )

    def _row_of_tokens(self, session: TrainingSession, targets: Sequence[tuple[int, ...]], n: int) -> Row:
        lps = _numbers_of(session, self.old).logprobs[n] if self.old else [NO_OLD] * len(targets[n])
        ratios = _cycled(self.ratios, targets, n)
        old = tuple(lp - math.log(ratio) for lp, ratio in zip(lps, ratios, strict=True))
        return Row(targets[n], (), old, _cycled(self.advantages, targets, n))


def _sampled(session: TrainingSession, name: str) -> tuple[tuple[int, ...], ...]:
    """The prompt with each sampled sequence. Raises `Stopped` where nothing was sampled."""
    found = response_named(session, name)
    prompt = mapping(found.request.get("prompt")) if found else {}
    before = [token for chunk in mappings(prompt.get("chunks")) for token in listed(chunk.get("tokens"))]
    rows = [[*before, *listed(one.get("tokens"))] for one in found.sequences] if found else []
    if not rows or any(not isinstance(token, int) for row in rows for token in row):
        raise Stopped(f"the tokens that {name} sampled")
    return tuple(tuple(token for token in row if isinstance(token, int)) for row in rows)


def _chosen(all_of: tuple[T, ...], which: tuple[int, ...]) -> tuple[T, ...]:
    return tuple(all_of[n] for n in which) if which else all_of


def _last_only(targets: Sequence[tuple[int, ...]]) -> tuple[Row, ...]:
    *others, last = targets
    return (*(Row(row, (0.0,) * len(row)) for row in others), Row(last, (*(0.0,) * (len(last) - 1), 1.0)))


def _cycled(values: Sequence[float], rows: Sequence[Sequence[int]], n: int) -> tuple[float, ...]:
    """The values of row n, when they are repeated over all rows one after the other."""
    before = sum(map(len, rows[:n]))
    return tuple(islice(cycle(values), before, before + len(rows[n])))


def _numbers_of(session: TrainingSession, name: str) -> TrainingResponse:
    """The response of that name. Raises `Stopped` where it has no logprobs for all of its target tokens."""
    found = response_named(session, name)
    if found is None or [len(row) for row in found.logprobs] != [len(row.targets) for row in found.rows]:
        raise Stopped(f"{name} has no logprobs to compute with")
    return found


def computed_account(response: TrainingResponse) -> accounting.Account:
    """The loss of a response as it is computed here. Raises `ValueError` or `KeyError` where a number for it is missing."""
    return accounting.account(response.loss, response.rows, response.logprobs, response.config)
