"""The YAML format of a scenario file: pydantic models, nothing else. The editor schema is generated from them.

Keys are the words of the protocol. There are no expressions, no includes and no templates.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rollout_conformance.steps.engine.case_model import CaseModel, LiveModel, Members, Seconds, Setup, Status, Written

Losses = Literal["reset", "stall", "cut"]


def _header(value: str) -> str:
    if not value.isprintable() or not value.isascii():
        raise ValueError(f"a header holds printable ASCII; seen: {value!r}")
    return value


Header = Annotated[str, AfterValidator(_header)]


class Line(Members):
    """One answer of the trainer: exactly one of `say`, `call`, `calls` or `fail`, and how it is given."""

    say: str | None = Field(None, description="a plain answer")
    call: Any = Field(
        None,
        description="any | hanging | {tool: {argument: value}} | {name, arguments, id}; arguments_text instead of arguments is sent "
        "as it is, whether it is JSON or not",
    )
    calls: list[Any] | None = Field(None, description="several calls in one turn; the n-th `any` is the n-th tool")
    fail: Status | str | dict[str, Any] | None = Field(
        None, description="503 | reset | stall | not_json | {status, headers, body, ...}"
    )
    text: str | None = Field(None, description="content beside the calls")
    reasoning: str | None = None
    finish: str | None = Field(None, description="finish_reason, where not the natural one")
    message: dict[str, Any] = Field(default_factory=dict, description="merged into the assistant message")
    put: dict[str, Any] = Field(default_factory=dict, description="set in the reply; a.0.b descends")
    drop: list[str] = Field(default_factory=list, description="removed from the reply")
    odd: bool = Field(False, description="sample a non-canonical encoding")
    end_token: bool = Field(True, description="whether token_ids keep the end-of-turn token")
    lost: Losses | None = Field(None, description="generate, then lose the answer on the way")
    drip: bool = Field(False, description="send the body in small pieces")
    close: bool = Field(False, description="close the connection afterwards")
    digits: int = Field(0, ge=0, description="answer with so many digits, a token each")
    hold: str | None = Field(
        None, min_length=1, description="wait until the case releases this name; `never` is not released"
    )
    delay_s: Seconds = 0.0
    content_type: str = "application/json"
    repeat: int = Field(1, ge=1, description="the same line so many times")

    @model_validator(mode="after")
    def _one_kind(self) -> "Line":
        kinds = [name for name in ("say", "call", "calls", "fail") if name in self.model_fields_set]
        if len(kinds) != 1:
            raise ValueError(
                f"a trainer's line has exactly one of say, call, calls, fail; seen: {', '.join(kinds) or 'none'}"
            )
        return self


class Failure(Members):
    """What `fail` may say in full."""

    kind: Literal["not_json", "empty", "not_object"] | None = None
    loss: Losses | None = None
    status: Status = 200
    body: str | None = None
    headers: dict[Header, Header] = Field(default_factory=dict)
    times: int = Field(1, ge=1)
    forever: bool = False
    delay_s: Seconds = 0.0


class Acknowledgement(Members):
    """How a completion is answered."""

    status: Status = 200
    loss: Losses | None = None
    headers: dict[Header, Header] = Field(default_factory=dict)
    times: int = Field(1, ge=1)
    forever: bool = False


class StartModel(BaseModel):
    """How the start request differs from the ordinary one. Other keys are members of its body, which the protocol knows in some dialect."""

    model_config = ConfigDict(extra="allow", frozen=True)

    rollout_id: Any = Field(None, description="a literal value, or {before, after, length} around a unique id")
    without: list[str] = Field(
        default_factory=list, description="members to leave out; `sampling` and `key` fit any dialect"
    )
    path: str = Field("", description="appended to the trainer's address")
    scheme: str = ""
    raw: str | None = Field(None, description="the whole body, as text")
    metadata_bytes: int | None = Field(None, ge=12)
    tokenizer: Literal["stripping"] | None = None
    unknown: dict[str, Any] = Field(default_factory=dict, description="members that no dialect knows, sent as they are")
    sampling: Any = Field(None, description="merged over the ordinary sampling")
    only_sampling: Any = Field(None, description="replaces the ordinary sampling")
    key: Any = Field(None, description="the trainer's key")
    max_tokens_total: Any = Field(
        None, description="a value, or {sampled: n, plus: k}: what the first n replies sample, plus k"
    )


class Part(Members):
    """One of several rollouts of a case."""

    start: StartModel = StartModel()
    trainer: list[Line] = Field(default_factory=list)
    acks: list[Status | Losses | Acknowledgement] = Field(default_factory=list)


class RolloutCase(CaseModel):
    """One case about a rollout server: besides its steps, what the start request holds and what the trainer answers."""

    start: StartModel = StartModel()
    trainer: list[Line] = Field(default_factory=list, description="what the trainer answers, in order")
    acks: list[Status | Losses | Acknowledgement] = Field(
        default_factory=list, description="how callbacks are answered"
    )
    rollouts: dict[str, Part] = Field(default_factory=dict, description="several rollouts, by label")
    steps: list[Written] = Field(default_factory=list, description="default: start, end")
    live: bool | LiveModel = Field(
        False, description="true: all expectations hold whatever a real model says; or what holds instead"
    )

    @model_validator(mode="after")
    def _either(self) -> "RolloutCase":
        if self.rollouts and self.model_fields_set & {"start", "trainer", "acks"}:
            raise ValueError("with `rollouts`, start, trainer and acks belong to each of them")
        return self

    @property
    def parts(self) -> Mapping[str, "Part | RolloutCase"]:
        """What is said of each rollout, by its label; "" is that of a case with one."""
        return self.rollouts or {"": self}

    def setup(self) -> Iterator[Setup]:
        from rollout_conformance.steps.profiles.rollout import setup

        for label, part in self.parts.items():
            yield from setup.of(label, part, ("rollouts", label) if label else ())

    def default_steps(self) -> Iterator[tuple[str, Any]]:
        from rollout_conformance.steps.profiles.rollout import setup

        return setup.default_steps(tuple(self.parts))


def wishes(model: StartModel) -> Mapping[str, Any]:
    """The keys that were written, by name."""
    return {name: getattr(model, name) for name in model.model_fields_set} | dict(model.model_extra or {})
