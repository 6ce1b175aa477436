"""The target card: what a stranger's server is, has and needs, in a small YAML file.

What the card does not declare and the target does not show is skipped with that reason, never guessed.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.suggestions import unknown_name

MOST_START_S = 900.0
MOST_PATIENCE_S = 120.0  # as long as a case may take


class Tool(BaseModel):
    """One call that the suite may ask for, and its outcome: a `result` (compared by value) or an `error`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    result: Any = None
    error: bool = False


class Limits(BaseModel):
    """The target's own limits, in seconds and counts. A limit that is not declared is not tested."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    generation_timeout_s: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="gives up on one generation call after this"
    )
    rollout_timeout_s: float | None = Field(None, gt=0, allow_inf_nan=False, description="ends a rollout after this")
    tool_timeout_s: float | None = Field(None, gt=0, allow_inf_nan=False, description="gives up on one tool after this")
    lease_timeout_s: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="cancels a rollout whose result was not requested for this long"
    )
    max_concurrent: int | None = Field(
        None, gt=0, description="rollouts that run at once; more are queued or answered 429"
    )

    max_body_bytes: int | None = Field(None, gt=0, description="larger requests and responses are rejected")

    def shortest(self) -> float | None:
        """The shortest of the limits in seconds, None where none is declared."""
        limits = (self.generation_timeout_s, self.rollout_timeout_s, self.tool_timeout_s)
        return min((limit for limit in limits if limit is not None), default=None)

    def longest(self) -> float:
        """The longest that the target may be silent of its own right."""
        return max(self.generation_timeout_s or 0.0, self.rollout_timeout_s or 0.0, self.tool_timeout_s or 0.0)


class Variant(Limits):
    """The same target configured otherwise: more environment, other limits, perhaps another key."""

    env: dict[str, str] = Field(default_factory=dict)
    key: str | None = Field(None, description="the key of this variant; an empty string is none")


class Card(Limits):
    """`env` and `variants` need a target that the suite starts itself (`app:` or `cmd:`)."""

    dialects: list[str] = Field(default_factory=list, description="which dialects to judge; default: those it shows")
    key: str | None = Field(None, description="the key the target asks of its callers; better given as --target-key")
    keys: dict[str, str] = Field(
        default_factory=dict, description="more keys that the target knows, by what they are for: limited, poor, other"
    )
    headers: dict[str, str] = Field(default_factory=dict, description="sent with every request to the target")
    health: str | None = Field(None, description="the path that says whether the target runs, for whoever has no key")
    tokenizer: str | None = Field(None, description="a local tokenizer directory, relative to the card")
    tokenizer_name: str | None = Field(None, description="the name by which the target knows that tokenizer")
    model: str | None = Field(None, description="the model to ask for (chat, router); default: the first that it lists")
    tools: list[Tool] | None = Field(None, description="calls to ask for; default: the calculator, where it is shown")
    hanging_tool: Tool | None = Field(None, description="a call that never returns of itself")
    rollouts: Literal["control", "open", "started"] = Field(
        "control",
        description="trainer: how rollouts begin. control: POST /rollouts; open: with the first generation request of a new "
        "rollout_id; started: the trainer sends start requests to --listen",
    )
    capabilities: list[str] = Field(default_factory=list, description="idempotency_key, ...")
    patience_s: float = Field(10.0, gt=0, le=MOST_PATIENCE_S, description="how long a silent target is waited for")
    settle_s: float = Field(
        2.5, ge=0, le=MOST_PATIENCE_S, description="how long after its end a rollout is watched for late calls"
    )
    start_s: float = Field(
        30.0, gt=0, le=MOST_START_S, description="how long a target that the suite starts may take to answer"
    )
    env: dict[str, str] = Field(default_factory=dict)
    variants: dict[str, Variant] = Field(default_factory=dict)

    def limits(self, variant: str) -> Limits:
        return self.variants[variant] if variant else self


def load(file: Path, dialects: Iterable[str] | None = None, incapable: Callable[[str], str] = lambda name: "") -> Card:
    """Read a card. Raises `SuiteError` with file:line:column for whatever does not fit.

    `dialects` are those that there are; `incapable` says what is wrong with the name of a capability.
    """
    source = yaml_source.read(file)
    card = yaml_source.validated(Card, source)
    problems = ErrorCollector()
    for n, dialect in enumerate(card.dialects):
        if dialects is not None and dialect not in dialects:
            problems.add(str(source.problem(("dialects", n), unknown_name("dialect", dialect, dialects))))
    for n, name in enumerate(card.capabilities):
        if told := incapable(name):
            problems.add(str(source.problem(("capabilities", n), told)))
    problems.conclude()
    if card.tokenizer:
        return card.model_copy(update={"tokenizer": str((file.parent / card.tokenizer).resolve())})
    return card
