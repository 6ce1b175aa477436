"""What a call of a training API came to: the numbers in its result, and whether it was carried out, rejected, or neither."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rollout_conformance.steps.engine.lenient_json import JsonObject, listed, mapping, mappings
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.http.responses import KeptResponse
from rollout_conformance.steps.profiles.training.accounting import Row

Outcome = Literal["done", "rejected", "failed", "pending", "lost"]
SIGNAL = "signal"
USER = "user"
MEMBERS = frozenset(
    [
        *(
            "category",
            "error",
            "loss_fn_output_type",
            "loss_fn_outputs",
            "metrics",
            "model_id",
            "path",
            "prompt_logprobs",
        ),
        *("result", "run_id", "sampling_session_id", "sequences", "status", "topk_prompt_logprobs", "type"),
    ]
)
"""The members of results that clients read; a server may add others."""


@dataclass(frozen=True, slots=True)
class TrainingResponse(KeptResponse):
    """`status` and `body` are those of the last response to the call: of its submit, or of its future. `verb` is the kind of call, `rows`,
    `loss` and `config` what was sent with it, `model` the model that it is about. `submit` is the response to the submit where a future
    followed, `request_id` the id of that future; `waited_s` how long the future was polled without a result."""

    dialect: str = field(default="", kw_only=True)
    verb: str = field(default="send", kw_only=True)
    model: str = field(default="", kw_only=True)
    rows: tuple[Row, ...] = field(default=(), kw_only=True)
    loss: str = field(default="", kw_only=True)
    config: Mapping[str, float] = field(default_factory=dict, kw_only=True)
    submit: KeptResponse | None = field(default=None, kw_only=True)
    request_id: str = field(default="", kw_only=True)
    waited_s: float | None = field(default=None, kw_only=True)
    internal: bool = field(default=False, kw_only=True)

    @property
    def outcome(self) -> Outcome:
        if self.waited_s is not None:
            return "pending"
        if self.status is None or self.fault:
            return "lost"
        if 400 <= self.status < 500:
            return "rejected"
        if not self.is_success or (isinstance(self.body, NotJson) and not self._is_bare):
            return "failed"
        return self._of_result()

    @property
    def _is_bare(self) -> bool:
        """Whether it is the success without a body of a request that makes nothing, such as DELETE: 204, or 200 of some servers."""
        return self.verb == "send" and not self.raw

    def _of_result(self) -> Outcome:
        """Of a success of HTTP, which may carry the failure of a future."""
        if self.dialect == SIGNAL:
            return "rejected" if self.request_id and self.fields.get("status") == "failed" else "done"
        if self.request_id and self.fields.get("error") is not None:
            return "rejected" if self.category == USER else "failed"
        return "done"

    @property
    def category(self) -> str:
        return str(self.fields.get("category", "")).lower().rpartition(".")[2]

    @property
    def result(self) -> Mapping[str, object]:
        """The members of the result of a call that was carried out."""
        if self.dialect == SIGNAL and self.request_id:
            return mapping(self.fields.get("result"))
        return self.fields

    @property
    def outputs(self) -> list[JsonObject]:
        return mappings(self.result.get("loss_fn_outputs"))

    @property
    def metrics(self) -> Mapping[str, object]:
        return mapping(self.result.get("metrics"))

    @property
    def logprobs(self) -> list[list[float]]:
        """The logprobs of each datum; NaN for what is no number."""
        return [[number(one) for one in listed(mapping(out.get("logprobs")).get("data"))] for out in self.outputs]

    @property
    def loss_value(self) -> float | None:
        """The loss that the target computed."""
        value = self.result.get("loss") if self.dialect == SIGNAL else self.metrics.get("loss:sum")
        return number(value) if value is not None else None

    @property
    def numbers(self) -> list[float]:
        """What the state of a model is compared by: all logprobs in order, or the loss where the dialect returns no logprobs."""
        if self.verb == "sample":
            return [number(value) for one in self.sequences for value in listed(one.get("logprobs"))]
        if self.dialect == SIGNAL:
            return [] if self.loss_value is None else [self.loss_value]
        return [value for row in self.logprobs for value in row]

    @property
    def sequences(self) -> list[JsonObject]:
        """What was sampled: tokens and logprobs of each sequence."""
        if self.dialect != SIGNAL:
            return mappings(self.result.get("sequences"))
        ids, logprobs = listed(self.result.get("token_ids")), listed(self.result.get("logprobs"))
        return [{"tokens": one, "logprobs": logprobs[n] if n < len(logprobs) else None} for n, one in enumerate(ids)]

    @property
    def rejected_at_submit(self) -> int | None:
        """The status with which the submit was rejected, None where it was not."""
        first = self.submit or self
        return first.status if first.status is not None and 400 <= first.status < 500 else None

    def came_to(self) -> str:
        """The outcome as a finding shows it."""
        if self.outcome == "pending":
            return f"no result within {self.waited_s:.1f} s; the last response was {self.shown()}"
        return self.shown()


def number(value: object) -> float:
    """A number of JSON; NaN for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)
