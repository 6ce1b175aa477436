"""The YAML format of a scenario file: pydantic models, nothing else. The editor schema is generated from them.

Keys are the words of the protocol. There are no expressions, no includes and no templates.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rollout_conformance.steps.engine.case_model import CaseModel, LiveModel, Members, Seconds, Setup, Status, Written
from rollout_conformance.steps.engine.lenient_json import JsonObject

Losses = Literal["reset", "stall", "cut"]


def _header(value: str) -> str:
    if not value.isprintable() or not value.isascii():
        raise ValueError(f"a header holds printable ASCII; seen: {value!r}")
    return value


Header = Annotated[str, AfterValidator(_header)]


class Line(Members):
    """One item of `trainer`: `text`, `call`, `calls` (each with a `text` or without) or `fail`, and how it is sent."""

    model_config = ConfigDict(title="A response of the trainer")

    text: str | None = Field(None, description="the content of the generation, alone or beside tool calls")
    call: object = Field(
        None,
        description="any | hanging | {tool: {argument: value}} | {name, arguments, id}; arguments_text instead of arguments is any text, "
        "sent byte for byte, whether it is JSON or not",
    )
    calls: list[object] | None = Field(None, description="several calls in one turn; the n-th `any` is the n-th tool")
    fail: Status | str | dict[str, object] | None = Field(
        None,
        description="a status, as 503; what happens to the connection: reset | stall | cut; a body that is no response: not_json | empty | "
        "not_object; or its members, as {status: 429, headers: {retry-after: '1'}}",
    )
    reasoning: str | None = Field(None, description="the reasoning_content of the assistant message")
    finish: str | None = Field(None, description="finish_reason, where not the natural one")
    message: dict[str, object] = Field(default_factory=dict, description="merged into the assistant message")
    put: dict[str, object] = Field(default_factory=dict, description="set in the reply; a.0.b descends")
    drop: list[str] = Field(default_factory=list, description="removed from the reply")
    non_canonical: bool = Field(False, description="sample other token ids for the same text")
    end_token: bool = Field(True, description="whether token_ids keep the end-of-turn token")
    lost: Losses | None = Field(
        None,
        description="generate, then lose the response on the way: the connection is reset, says nothing more (stall), or ends within the body (cut)",
    )
    drip: bool = Field(False, description="send the body in small pieces, some of which end within a character")
    close: bool = Field(False, description="close the connection afterwards")
    gzip: bool = Field(False, description="compress the body, where the request accepts gzip")
    digits: int = Field(0, ge=0, description="a text of this many digits, a token each")
    hold: str | None = Field(
        None, min_length=1, description="wait until the case releases this name; `never` is not released"
    )
    delay_s: Seconds = Field(0.0, description="seconds until the response is sent, at most 60")
    content_type: str = Field("application/json", description="the Content-Type of the response")
    padding_bytes: int = Field(0, ge=0, description="the size of an unknown member that is added to the reply")
    repeat: int = Field(1, ge=1, description="how many times the response is sent")

    @model_validator(mode="after")
    def _one_kind(self) -> "Line":
        written = [name for name in ("text", "call", "calls", "fail") if name in self.model_fields_set]
        kinds = [name for name in written if name != "text"] or written
        if len(kinds) != 1 or {"text", "fail"} <= set(written):
            seen = ", ".join(written) or "none"
            raise ValueError(
                f"a response has one of text, call, calls, fail; a text may stand beside calls; seen: {seen}"
            )
        return self


class Failure(Members):
    """`fail` in full: a response in place of a generation."""

    model_config = ConfigDict(title="A failure of the trainer")

    kind: Literal["not_json", "empty", "not_object"] | None = Field(None, description="a body that is no response")
    loss: Losses | None = Field(
        None, description="the connection is reset, says nothing more (stall), or ends within the body (cut)"
    )
    status: Status = Field(200, description="the status of HTTP")
    body: str | None = Field(None, description="the whole body, as text")
    headers: dict[Header, Header] = Field(
        default_factory=dict, description="headers of the response, as {retry-after: '1'}"
    )
    times: int = Field(1, ge=1, description="how many generation requests fail like this, one after the other")
    forever: bool = Field(False, description="whether every generation request from here on fails like this")
    delay_s: Seconds = Field(0.0, description="seconds until the response is sent, at most 60")


class Acknowledgement(Members):
    """One item of `acks`: the response to a callback. A status alone (503) or a loss alone (reset) is short for it."""

    model_config = ConfigDict(title="A response to a callback")

    status: Status = Field(200, description="the status of HTTP")
    loss: Losses | None = Field(
        None, description="the connection is reset, says nothing more (stall), or ends within the body (cut)"
    )
    headers: dict[Header, Header] = Field(default_factory=dict, description="headers, as {retry-after: '1'}")
    times: int = Field(1, ge=1, description="how many callbacks are answered like this, one after the other")
    forever: bool = Field(False, description="whether every callback from here on is answered like this")


class StartModel(BaseModel):
    """How the start request differs from the ordinary one. Other keys are members of its body, which the protocol knows in some dialect."""

    model_config = ConfigDict(extra="allow", frozen=True, title="The start request")

    rollout_id: object = Field(None, description="a literal value, or {before, after, length} around a unique id")
    without: list[str] = Field(
        default_factory=list, description="members to leave out; `sampling` and `key` fit any dialect"
    )
    path: str = Field("", description="appended to the trainer's address")
    scheme: str = Field("", description="the scheme of the trainer's address, in place of http")
    raw: str | None = Field(None, description="the whole body, as text")
    metadata_bytes: int | None = Field(None, ge=12, description="the size of `metadata`, as JSON")
    padding_bytes: int = Field(0, ge=0, description="the size of an unknown member that is added")
    tokenizer: Literal["stripping"] | None = Field(
        None, description="another tokenizer; `stripping` is one whose template forgets the reasoning of earlier turns"
    )
    unknown: dict[str, Any] = Field(default_factory=dict, description="members that no dialect knows, sent unchanged")
    sampling: object = Field(None, description="merged over the ordinary sampling")
    only_sampling: object = Field(None, description="replaces the ordinary sampling")
    key: object = Field(None, description="the trainer's key")
    max_tokens_total: object = Field(
        None, description="a value, or {sampled: n, plus: k}: what the first n replies sample, plus k"
    )


class Part(Members):
    """One of several rollouts of a case, under its label in `rollouts`."""

    model_config = ConfigDict(title="One of several rollouts")

    start: StartModel = Field(StartModel(), description="how its start request differs from the ordinary one")
    trainer: list[Line] = Field(default_factory=list, description="the responses to its generation requests, in order")
    acks: list[Status | Losses | Acknowledgement] = Field(
        default_factory=list, description="the responses to its callbacks, in order"
    )


class RolloutCase(CaseModel):
    """One case about a rollout server: besides its steps, the start request and the responses of the trainer."""

    described: ClassVar[tuple[type[BaseModel], ...]] = (Failure,)

    start: StartModel = Field(StartModel(), description="how the start request differs from the ordinary one")
    trainer: list[Line] = Field(default_factory=list, description="the responses to generation requests, in order")
    acks: list[Status | Losses | Acknowledgement] = Field(
        default_factory=list, description="the responses to callbacks, in order"
    )
    rollouts: dict[str, Part] = Field(default_factory=dict, description="several rollouts, by label")
    steps: list[Written] = Field(default_factory=list, description="default: start, wait_for_end")
    live: bool | LiveModel = Field(
        False, description="true: all expectations hold whatever a real model generates; or what holds instead"
    )

    @model_validator(mode="after")
    def _either(self) -> "RolloutCase":
        if self.rollouts and self.model_fields_set & {"start", "trainer", "acks"}:
            raise ValueError("with `rollouts`, start, trainer and acks belong to each of them")
        return self

    @property
    def parts(self) -> Mapping[str, "Part | RolloutCase"]:
        """The rollouts of the case by their labels; "" is that of a case with one."""
        return self.rollouts or {"": self}

    def setup(self) -> Iterator[Setup]:
        from rollout_conformance.steps.profiles.rollout import setup

        for label, part in self.parts.items():
            yield from setup.of(label, part, ("rollouts", label) if label else ())

    def default_steps(self) -> Iterator[tuple[str, Any]]:
        from rollout_conformance.steps.profiles.rollout import setup

        return setup.default_steps(tuple(self.parts))


def overrides(model: StartModel) -> JsonObject:
    """The keys that were written, by name."""
    known = (name for name in StartModel.model_fields if name in model.model_fields_set)
    return {name: getattr(model, name) for name in known} | dict(model.model_extra or {})
